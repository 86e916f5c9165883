// SPDX-License-Identifier: Apache-2.0

// Package tenant is what tests of clients see of the server beside these clients: one tenant by its
// management interface, and the file of its sink. Where both are is in the environment.
package tenant

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Patience is for hangs; nothing waits so long for what works.
const Patience = time.Minute

// Tenant ends the test that it was made for when anything is not as it has to be.
type Tenant struct {
	*testing.T
	URL string
}

// Collector is what a list tells of one.
type Collector struct {
	ID               int64             `json:"id"`
	Name             string            `json:"name"`
	CollectorType    string            `json:"collectorType"`
	CollectorVersion string            `json:"collectorVersion"`
	Description      string            `json:"description"`
	Category         string            `json:"category"`
	TimeZone         string            `json:"timeZone"`
	HostName         string            `json:"hostName"`
	OSName           string            `json:"osName"`
	Fields           map[string]string `json:"fields"`
	Ephemeral        bool              `json:"ephemeral"`
	Alive            bool              `json:"alive"`
	LastSeenAlive    int64             `json:"lastSeenAlive"`
}

// Source is an HTTP source.
type Source struct {
	ID   int64     `json:"id"`
	URL  string    `json:"url"`
	Home Collector `json:"-"`
}

// Record is one line of the sink's file.
type Record struct {
	Collector int64             `json:"collector"`
	Source    int64             `json:"source"`
	Type      string            `json:"type"`
	Metadata  map[string]string `json:"metadata"`
	Text      string            `json:"data"`
	Packed    []byte            `json:"data_base64"`
}

// Bytes are the data, whatever they are.
func (r Record) Bytes() []byte {
	if r.Packed != nil {
		return r.Packed
	}
	return []byte(r.Text)
}

// Of is the tenant of the environment.
func Of(t *testing.T) *Tenant {
	t.Helper()
	return &Tenant{t, os.Getenv("SUMO_URL")}
}

// Call makes one request that has to be answered with status, and decodes what came into answer.
func (t *Tenant) Call(status int, method, path string, body, answer any) {
	t.Helper()
	var sent bytes.Buffer
	if body != nil {
		t.Fine(json.NewEncoder(&sent).Encode(body))
	}
	request, err := http.NewRequest(method, t.URL+"/api/v1"+path, &sent)
	t.Fine(err)
	request.SetBasicAuth(os.Getenv("SUMO_ID"), os.Getenv("SUMO_KEY"))
	request.Header.Set("Content-Type", "application/json")
	told, err := http.DefaultClient.Do(request)
	t.Fine(err)
	defer told.Body.Close()
	text, err := io.ReadAll(told.Body)
	t.Fine(err)
	if told.StatusCode != status {
		t.Fatalf("%s %s: %s, not %d: %s", method, path, told.Status, status, text)
	}
	if answer != nil {
		t.Fine(json.Unmarshal(text, answer))
	}
}

// Fine ends the test when there is an error.
func (t *Tenant) Fine(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Wait asks again until the answer is yes.
func (t *Tenant) Wait(what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Listed are the collectors whose names begin with prefix, in the order of their ids.
func (t *Tenant) Listed(prefix string) []Collector {
	t.Helper()
	var list struct{ Collectors []Collector }
	t.Call(http.StatusOK, http.MethodGet, "/collectors?limit=1000", nil, &list)
	var found []Collector
	for _, c := range list.Collectors {
		if strings.HasPrefix(c.Name, prefix) {
			found = append(found, c)
		}
	}
	return found
}

// Only is the one collector whose name begins with prefix.
func (t *Tenant) Only(prefix string) Collector {
	t.Helper()
	found := t.Listed(prefix)
	if len(found) != 1 {
		t.Fatalf("%d collectors %s...: %v", len(found), prefix, found)
	}
	return found[0]
}

// Hosted makes a hosted collector.
func (t *Tenant) Hosted(name string) Collector {
	t.Helper()
	var made struct{ Collector Collector }
	t.Call(http.StatusCreated, http.MethodPost, "/collectors", map[string]any{
		"collector": map[string]any{"collectorType": "Hosted", "name": name}}, &made)
	return made.Collector
}

// Source makes an HTTP source in a hosted collector of its own.
func (t *Tenant) Source(more map[string]any) Source {
	t.Helper()
	wanted := map[string]any{"sourceType": "HTTP", "name": "in", "messagePerRequest": false}
	for name, value := range more {
		wanted[name] = value
	}
	var made struct{ Source Source }
	home := t.Hosted("home of " + t.Name())
	t.Call(http.StatusCreated, http.MethodPost, pathOf(home)+"/sources",
		map[string]any{"source": wanted}, &made)
	made.Source.Home = home
	return made.Source
}

// Records are those in the sink's file that are wanted, in its order.
func (t *Tenant) Records(wanted func(Record) bool) []Record {
	t.Helper()
	text, err := os.ReadFile(os.Getenv("SUMO_RECEIVED"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var found []Record
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return found
		}
		var r Record
		t.Fine(json.Unmarshal(line, &r))
		if wanted(r) {
			found = append(found, r)
		}
		text = rest
	}
}

// From waits until count records of a source, or of a collector's own, are in the sink's file.
func (t *Tenant) From(collector, source int64, count int) []Record {
	t.Helper()
	var found []Record
	t.Wait("data in the sink", func() bool {
		found = t.Records(func(r Record) bool { return r.Collector == collector && r.Source == source })
		return len(found) >= count
	})
	return found
}

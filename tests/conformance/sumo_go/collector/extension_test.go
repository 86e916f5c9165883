// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"

	"muster/conformance/sumo/tenant"
)

func TestTheFirstStart(test *testing.T) {
	t := tenant.Of(test)
	a := started(t, t.Token(), settings{"collector_description": "d", "collector_category": "prod/web",
		"collector_environment": "lab", "time_zone": "PST", "ephemeral": true,
		"collector_fields": settings{"team": "a", "rank": 7, "on": true}})
	c := t.Only(t.Name())
	if c.ID != a.number() || c.CollectorType != "Installable" || !c.Alive || !c.Ephemeral {
		t.Errorf("%+v", c)
	}
	if c.Description != "d" || c.Category != "prod/web" || c.TimeZone != "PST" || c.HostName == "" {
		t.Errorf("%+v", c)
	}
	if c.CollectorVersion != "v0.130.0-sumo-0" || c.OSName != runtime.GOOS {
		t.Errorf("of the metadata: %+v", c)
	}
	if !maps.Equal(c.Fields, map[string]string{"team": "a", "rank": "7", "on": "true"}) {
		t.Errorf("fields: %v", c.Fields)
	}
	var newer struct{ ReportedTags map[string]any }
	t.Call(http.StatusOK, http.MethodGet, "/otCollectors/"+a.CollectorID(), nil, &newer)
	if newer.ReportedTags["sumo.disco.enabled"] != "true" || newer.ReportedTags["team"] != "a" {
		t.Errorf("tags: %v", newer.ReportedTags)
	}
	a.beats()
	if n := a.logs.FilterMessage("Heartbeat error").Len(); n > 0 {
		t.Errorf("%d heartbeats failed", n)
	}
}

func TestARestartKeepsTheCollector(test *testing.T) {
	t := tenant.Of(test)
	token, folder := t.Token(), settings{"collector_credentials_directory": t.TempDir()}
	first := started(t, token, folder)
	first.stop()
	t.Revoke(token) // which is for registrations only
	again := configured(t, token, "0.131.0-sumo-1", folder)
	again.start()
	again.told("Found stored credentials, skipping registration", "")
	if c := t.Only(t.Name()); c.ID != first.number() || c.CollectorVersion != "v0.131.0-sumo-1" {
		t.Errorf("%+v", c)
	}
	again.beats()
}

func TestDeletedWhileItWasStopped(test *testing.T) {
	t := tenant.Of(test)
	token, folder := t.Token(), settings{"collector_credentials_directory": t.TempDir()}
	first := started(t, token, folder)
	first.stop()
	t.Delete(t.Only(t.Name()))
	again := started(t, token, folder)
	again.told("Locally stored credentials invalid. Trying to re-register...", "")
	if c := t.Only(t.Name()); c.ID != again.number() || c.ID == first.number() {
		t.Errorf("%+v after %d", c, first.number())
	}
}

func TestDeletedWhileItRuns(test *testing.T) {
	t := tenant.Of(test)
	token, folder := t.Token(), settings{"collector_credentials_directory": t.TempDir()}
	a := started(t, token, folder)
	old := t.Only(t.Name())
	t.Delete(old)
	a.renewed()
	if c := t.Only(t.Name()); c.ID != a.number() || c.ID == old.ID || !c.Alive {
		t.Errorf("%+v after %+v", c, old)
	}
	a.beats()
	a.stop()
	if again := started(t, token, folder); again.number() != a.number() {
		t.Errorf("the new credential was not kept: %d, not %d", again.number(), a.number())
	}
}

func TestANameThatIsTaken(test *testing.T) {
	t := tenant.Of(test)
	token := t.Token()
	first := started(t, token, nil)
	second := started(t, token, nil)
	list := t.Listed(t.Name())
	if len(list) != 2 || list[0].ID != first.number() || list[1].ID != second.number() ||
		list[0].Name != t.Name() || !suffixed(list[1].Name, t.Name()) {
		t.Fatalf("%+v", list)
	}
	told := second.told("Collector name already in use, registered modified name", "registered_name")
	if told != list[1].Name {
		t.Errorf("it was told %v", told)
	}
}

func TestClobberTakesTheName(test *testing.T) {
	t := tenant.Of(test)
	token := t.Token()
	old := started(t, token, nil)
	was := t.Only(t.Name())
	young := started(t, token, settings{"clobber": true})
	old.renewed() // it was told 401, and comes back under another name
	list := t.Listed(t.Name())
	if len(list) != 2 || list[0].ID != young.number() || list[1].ID != old.number() ||
		list[0].Name != t.Name() || !suffixed(list[1].Name, t.Name()) || old.number() == was.ID {
		t.Fatalf("%+v after %+v", list, was)
	}
}

func TestClobberLeavesHostedCollectorsAlone(test *testing.T) {
	t := tenant.Of(test)
	hosted := t.Hosted(t.Name())
	started(t, t.Token(), settings{"clobber": true})
	list := t.Listed(t.Name())
	if len(list) != 2 || list[0].ID != hosted.ID || !suffixed(list[1].Name, t.Name()) {
		t.Fatalf("%+v", list)
	}
}

func TestForcedRegistration(test *testing.T) {
	for _, row := range []struct {
		name    string
		clobber bool
		left    int
	}{{"plain", false, 3}, {"with clobber", true, 1}} {
		test.Run(row.name, func(test *testing.T) {
			t := tenant.Of(test)
			token, folder := t.Token(), t.TempDir()
			for range 3 {
				started(t, token, settings{"collector_credentials_directory": folder,
					"force_registration": true, "clobber": row.clobber}).stop()
			}
			if list := t.Listed(t.Name()); len(list) != row.left || list[0].Name != t.Name() {
				t.Fatalf("%+v", list)
			}
		})
	}
}

func TestTheHostNamesACollector(test *testing.T) {
	t := tenant.Of(test)
	a := started(t, t.Token(), settings{"collector_name": ""})
	name, err := os.Hostname()
	t.Fine(err)
	if c := a.shown(); !strings.HasPrefix(c.Name, name) || !strings.HasPrefix(c.HostName, name) {
		t.Errorf("%+v on %s", c, name)
	}
}

func TestASlashBehindTheURL(test *testing.T) {
	t := tenant.Of(test)
	started(t, t.Token(), settings{"api_base_url": t.URL + "/"}).beats()
}

func TestManyWantOneNameAtOnce(test *testing.T) {
	t := tenant.Of(test)
	token, failed := t.Token(), make(chan error, 40)
	var all sync.WaitGroup
	for range cap(failed) {
		a := configured(t, token, build, nil)
		all.Go(func() { failed <- a.Start(context.Background(), componenttest.NewNopHost()) })
		t.Cleanup(a.stop)
	}
	all.Wait()
	names := map[string]bool{}
	for range cap(failed) {
		t.Fine(<-failed)
	}
	for _, c := range t.Listed(t.Name()) {
		names[c.Name] = true
		if !c.Alive || c.Name != t.Name() && !suffixed(c.Name, t.Name()) {
			t.Errorf("%+v", c)
		}
	}
	if len(names) != cap(failed) || !names[t.Name()] {
		t.Errorf("%d names: %v", len(names), names)
	}
}

// Where registrations fail, they come from an address that no other test has.
func from(t *tenant.Tenant, address string) {
	transport := http.DefaultTransport.(*http.Transport)
	plain := transport.DialContext
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport.CloseIdleConnections()
	transport.DialContext = dialer.DialContext
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		transport.DialContext = plain
	})
}

func TestWhoMayNotRegisterDoesNotStart(test *testing.T) {
	for n, row := range []struct {
		name, status string
		spoil        func(*tenant.Tenant, *tenant.Token, settings)
	}{
		{"an unknown token", "401", func(_ *tenant.Tenant, token *tenant.Token, _ settings) {
			token.Text = "U1VNT3h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4aHR0cDovL3g="
		}},
		{"an inactive token", "401", func(t *tenant.Tenant, token *tenant.Token, _ settings) {
			t.Deactivate(*token)
		}},
		{"a deleted token", "401", func(t *tenant.Tenant, token *tenant.Token, _ settings) {
			t.Revoke(*token)
		}},
		{"a description that is too long", "400", func(_ *tenant.Tenant, _ *tenant.Token, s settings) {
			s["collector_description"] = strings.Repeat("d", 1025)
		}},
	} {
		test.Run(row.name, func(test *testing.T) {
			t := tenant.Of(test)
			from(t, net.IPv4(127, 1, 0, byte(2+n)).String())
			token, more := t.Token(), settings{}
			row.spoil(t, &token, more)
			a := configured(t, token, build, more)
			if told := a.fails(); !strings.Contains(told, "HTTP status code: "+row.status) {
				t.Error(told)
			}
			if id := a.told("Collector registration failed", "error_id"); len(id.(string)) != 17 {
				t.Errorf("the error is called %v", id)
			}
			if list := t.Listed(t.Name()); len(list) > 0 {
				t.Errorf("%+v", list)
			}
		})
	}
}

// With credential and token dead at once, the extension would call without a pause.
func TestOneThatMayNotComeBackIsSlowedDown(test *testing.T) {
	t := tenant.Of(test)
	from(t, "127.1.1.1")
	token := t.Token()
	a := started(t, token, nil)
	t.Revoke(token)
	t.Delete(t.Only(t.Name()))
	refused := func(status int64) int {
		n := 0
		for _, line := range a.logs.FilterMessage("Collector registration failed").All() {
			if line.ContextMap()["status_code"] == status {
				n++
			}
		}
		return n
	}
	t.Wait("429", func() bool { return refused(http.StatusTooManyRequests) > 0 })
	if n := refused(http.StatusUnauthorized); n == 0 || n > 10 {
		t.Errorf("%d registrations were refused with 401", n)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package senders gives data to the URL of a source with what others publish for it: a small client for
// logs, and the output of an agent for metrics.
package senders

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	"github.com/influxdata/telegraf/plugins/outputs/sumologic"
	"github.com/influxdata/telegraf/plugins/serializers"
	"github.com/ushios/sumoll"

	"muster/conformance/sumo/tenant"
)

func client(t *tenant.Tenant, address string, more ...sumoll.HTTPSourceClientOptFunc) *sumoll.HTTPSourceClient {
	t.Helper()
	parsed, err := url.Parse(address)
	t.Fine(err)
	made, err := sumoll.NewHTTPSourceClient(parsed, more...)
	t.Fine(err)
	return made
}

func TestALogLineWithItsMetadata(test *testing.T) {
	t := tenant.Of(test)
	door := t.Source(nil)
	c := client(t, door.URL, sumoll.SetXSumoHostHeader("h"), sumoll.SetXSumoNameHeader("n"),
		sumoll.SetXSumoCategoryHeader("prod/c"))
	for n := range 20 {
		t.Fine(c.Send(strings.NewReader(fmt.Sprintf("line %d\n", n))))
	}
	for n, record := range t.From(door.Home.ID, door.ID, 20) {
		if record.Text != fmt.Sprintf("line %d\n", n) || record.Metadata["host"] != "h" ||
			record.Metadata["name"] != "n" || record.Metadata["category"] != "prod/c" {
			t.Errorf("%d: %+v", n, record)
		}
	}
}

func TestAnUnknownURL(test *testing.T) {
	t := tenant.Of(test)
	door := t.Source(nil)
	err := client(t, door.URL+"x").Send(strings.NewReader("lost"))
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}

func measured(count int) []telegraf.Metric {
	var all []telegraf.Metric
	for n := range count {
		all = append(all, metric.New("cpu", map[string]string{"host": fmt.Sprintf("h%d", n)},
			map[string]any{"idle": float64(n)}, time.Unix(1700000000, 0)))
	}
	return all
}

// A plaintive fails the test for what an output complains about; nothing else is logged.
type plaintive struct {
	telegraf.Logger
	t *tenant.Tenant
}

func (p plaintive) Errorf(format string, more ...any) { p.t.Errorf(format, more...) }
func (p plaintive) Warnf(format string, more ...any)  { p.t.Errorf(format, more...) }

// Output is the agent's, as its configuration file would set it up.
func output(t *tenant.Tenant, address string, format *serializers.Config) *sumologic.SumoLogic {
	t.Helper()
	serializer, err := serializers.NewSerializer(format)
	t.Fine(err)
	made := sumologic.Default()
	made.Log = plaintive{t: t}
	made.URL = address
	made.SourceCategory, made.SourceHost, made.SourceName = "prod/c", "h", "n"
	made.Dimensions = "a=b,c=d"
	made.SetSerializer(serializer)
	t.Fine(made.Connect())
	t.Cleanup(func() { t.Fine(made.Close()) })
	return made
}

var formats = []struct {
	name, media, line string
	config            serializers.Config
}{
	{"carbon2", "application/vnd.sumologic.carbon2", "metric=cpu field=idle host=h0  0 1700000000",
		serializers.Config{DataFormat: "carbon2", Carbon2Format: "field_separate"}},
	{"graphite", "application/vnd.sumologic.graphite", "h0.cpu.idle 0 1700000000",
		serializers.Config{DataFormat: "graphite"}},
	{"prometheus", "application/vnd.sumologic.prometheus", `cpu_idle{host="h0"} 0`,
		serializers.Config{DataFormat: "prometheus"}},
}

func TestMetricsInEachFormat(test *testing.T) {
	for _, format := range formats {
		test.Run(format.name, func(test *testing.T) {
			t := tenant.Of(test)
			door := t.Source(nil)
			t.Fine(output(t, door.URL, &format.config).Write(measured(3)))
			record := t.From(door.Home.ID, door.ID, 1)[0]
			if record.Type != format.media || !strings.Contains(record.Text, format.line+"\n") {
				t.Errorf("%+v", record)
			}
			for name, value := range map[string]string{"host": "h", "name": "n", "category": "prod/c",
				"dimensions": "a=b,c=d"} {
				if record.Metadata[name] != value {
					t.Errorf("%s is not in %v", name, record.Metadata)
				}
			}
		})
	}
}

func TestManyMetricsGoInPieces(test *testing.T) {
	t := tenant.Of(test)
	door := t.Source(nil)
	out := output(t, door.URL, &formats[1].config)
	out.MaxRequstBodySize = 10000
	t.Fine(out.Write(measured(3000)))
	text := ""
	t.Wait("all of them", func() bool {
		text = ""
		for _, record := range t.From(door.Home.ID, door.ID, 2) {
			text += record.Text
		}
		return strings.Count(text, "\n") >= 3000
	})
	for n := range 3000 {
		if line := fmt.Sprintf("h%d.cpu.idle %d 1700000000\n", n, n); strings.Count(text, line) != 1 {
			t.Fatalf("%q is not there once", line)
		}
	}
}

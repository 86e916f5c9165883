// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/sumologicexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"muster/conformance/sumo/tenant"
)

// What a collector has beside its exporters.
type extensions map[component.ID]component.Component

func (e extensions) GetExtensions() map[component.ID]component.Component { return e }

func with(a *agent) extensions {
	if a == nil {
		return nil
	}
	return extensions{a.ComponentID(): a.SumologicExtension}
}

// A pipeline is an exporter of one configuration for each signal.
type pipeline struct {
	logs    exporter.Logs
	metrics exporter.Metrics
	traces  exporter.Traces
	told    *observer.ObservedLogs // warnings and what is worse
}

func exporting(t *tenant.Tenant, host extensions, more settings) *pipeline {
	t.Helper()
	all := settings{"retry_on_failure": settings{"enabled": false}}
	maps.Copy(all, more)
	factory := sumologicexporter.NewFactory()
	config := factory.CreateDefaultConfig()
	t.Fine(confmap.NewFromStringMap(all).Unmarshal(config))
	telemetry, told := logged(zapcore.WarnLevel)
	set := exporter.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: telemetry,
		BuildInfo: component.BuildInfo{Version: build}}
	p, ctx := &pipeline{told: told}, context.Background()
	var err error
	p.logs, err = factory.CreateLogs(ctx, set, config)
	t.Fine(err)
	p.metrics, err = factory.CreateMetrics(ctx, set, config)
	t.Fine(err)
	p.traces, err = factory.CreateTraces(ctx, set, config)
	t.Fine(err)
	for _, part := range []component.Component{p.logs, p.metrics, p.traces} {
		t.Fine(part.Start(ctx, host))
		t.Cleanup(func() { t.Fine(part.Shutdown(ctx)) })
	}
	return p
}

func (p *pipeline) clean(t *tenant.Tenant) {
	t.Helper()
	for _, line := range p.told.All() {
		t.Errorf("it warns: %s %v", line.Message, line.ContextMap())
	}
}

var metadata = map[string]string{"host": "h", "name": "n", "category": "prod/c", "client": "otelcol"}

func described(resource pcommon.Resource) {
	resource.Attributes().PutStr("_sourceHost", metadata["host"])
	resource.Attributes().PutStr("_sourceName", metadata["name"])
	resource.Attributes().PutStr("_sourceCategory", metadata["category"])
	resource.Attributes().PutStr("team", "a")
}

func logs(lines ...string) plog.Logs {
	made := plog.NewLogs()
	of := made.ResourceLogs().AppendEmpty()
	described(of.Resource())
	records := of.ScopeLogs().AppendEmpty().LogRecords()
	for _, line := range lines {
		record := records.AppendEmpty()
		record.Body().SetStr(line)
		record.Attributes().PutStr("k", "\u00e9")
	}
	return made
}

func gauges() pmetric.Metrics {
	made := pmetric.NewMetrics()
	of := made.ResourceMetrics().AppendEmpty()
	described(of.Resource())
	metric := of.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("load")
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(1700000000000000000)
	point.SetDoubleValue(0.5)
	return made
}

func spans() ptrace.Traces {
	made := ptrace.NewTraces()
	of := made.ResourceSpans().AppendEmpty()
	described(of.Resource())
	span := of.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID([16]byte{1, 0xff})
	span.SetSpanID([8]byte{2, 0xff})
	span.SetName("GET /")
	return made
}

const protobuf = "application/x-protobuf"

// Everything that the exporter can be told to send.
var payloads = []struct {
	name   string
	config settings
	send   func(context.Context, *pipeline) error
	media  string
	plain  bool // text, whose metadata goes in header fields
	wanted func() ([]byte, error)
}{
	{"logs as text", settings{"log_format": "text"},
		func(ctx context.Context, p *pipeline) error { return p.logs.ConsumeLogs(ctx, logs("one", "two")) },
		"application/x-www-form-urlencoded", true,
		func() ([]byte, error) { return []byte("one\ntwo"), nil }},
	{"logs as JSON", settings{"log_format": "json"},
		func(ctx context.Context, p *pipeline) error { return p.logs.ConsumeLogs(ctx, logs("one", "two")) },
		"application/x-www-form-urlencoded", true,
		func() ([]byte, error) {
			return []byte("{\"k\":\"\u00e9\",\"log\":\"one\"}\n{\"k\":\"\u00e9\",\"log\":\"two\"}"), nil
		}},
	{"logs as OTLP", nil,
		func(ctx context.Context, p *pipeline) error { return p.logs.ConsumeLogs(ctx, logs("one", "two")) },
		protobuf, false,
		func() ([]byte, error) { return (&plog.ProtoMarshaler{}).MarshalLogs(logs("one", "two")) }},
	{"metrics as Prometheus", settings{"metric_format": "prometheus"},
		func(ctx context.Context, p *pipeline) error { return p.metrics.ConsumeMetrics(ctx, gauges()) },
		"application/vnd.sumologic.prometheus", true,
		func() ([]byte, error) {
			return []byte(`load{_sourceHost="h",_sourceName="n",_sourceCategory="prod/c",team="a"}` +
				" 0.5 1700000000000"), nil
		}},
	{"metrics as OTLP", nil,
		func(ctx context.Context, p *pipeline) error { return p.metrics.ConsumeMetrics(ctx, gauges()) },
		protobuf, false,
		func() ([]byte, error) { return (&pmetric.ProtoMarshaler{}).MarshalMetrics(gauges()) }},
	{"traces", nil,
		func(ctx context.Context, p *pipeline) error { return p.traces.ConsumeTraces(ctx, spans()) },
		protobuf, false,
		func() ([]byte, error) { return (&ptrace.ProtoMarshaler{}).MarshalTraces(spans()) }},
}

func TestWhatIsSentArrives(test *testing.T) {
	for _, way := range []string{"by the collector's credential", "by the URL of a source"} {
		for _, compression := range []string{"gzip", "deflate", "zstd", ""} {
			for _, payload := range payloads {
				name := strings.Join([]string{way, payload.name, "packed by " + compression}, ", ")
				test.Run(name, func(test *testing.T) {
					t := tenant.Of(test)
					config := settings{"compression": compression}
					maps.Copy(config, payload.config)
					var a *agent
					var collector, source int64
					if strings.HasSuffix(way, "credential") {
						a = started(t, t.Token(), nil)
						collector = a.number()
					} else {
						door := t.Source(nil)
						collector, source = door.Home.ID, door.ID
						config["endpoint"] = door.URL
					}
					p := exporting(t, with(a), config)
					t.Fine(payload.send(context.Background(), p))
					record := t.From(collector, source, 1)[0]
					wanted, err := payload.wanted()
					t.Fine(err)
					if !bytes.Equal(record.Bytes(), wanted) || record.Type != payload.media {
						t.Errorf("%q as %s, not %q as %s", record.Bytes(), record.Type, wanted, payload.media)
					}
					if record.Metadata["client"] != "otelcol" {
						t.Errorf("metadata: %v", record.Metadata)
					}
					p.clean(t)
				})
			}
		}
	}
}

func TestMetadataOfTextComesAlong(test *testing.T) {
	t := tenant.Of(test)
	a := started(t, t.Token(), nil)
	p := exporting(t, with(a), settings{"log_format": "text"})
	t.Fine(p.logs.ConsumeLogs(context.Background(), logs("one")))
	found := t.From(a.number(), 0, 1)[0].Metadata
	for name, value := range metadata {
		if found[name] != value {
			t.Errorf("%s is %q in %v", name, found[name], found)
		}
	}
	if found["fields"] != "team=a" {
		t.Errorf("fields are %q", found["fields"])
	}
}

func TestALargeBatchGoesInPieces(test *testing.T) {
	t := tenant.Of(test)
	a := started(t, t.Token(), nil)
	p := exporting(t, with(a), settings{"log_format": "text"})
	lines := make([]string, 30000)
	for n := range lines {
		lines[n] = fmt.Sprintf("%06d %s", n, strings.Repeat("x", 93))
	}
	t.Fine(p.logs.ConsumeLogs(context.Background(), logs(lines...)))
	var found []string
	for _, record := range t.From(a.number(), 0, 3) {
		found = append(found, strings.Split(record.Text, "\n")...)
	}
	if strings.Join(found, "\n") != strings.Join(lines, "\n") {
		t.Errorf("%d lines are not the %d that were sent", len(found), len(lines))
	}
	p.clean(t)
}

func TestTheExporterFollowsANewCredential(test *testing.T) {
	t := tenant.Of(test)
	a := started(t, t.Token(), nil)
	p := exporting(t, with(a), settings{"log_format": "text", "retry_on_failure": settings{
		"enabled": true, "initial_interval": "10ms"}})
	ctx := context.Background()
	t.Fine(p.logs.ConsumeLogs(ctx, logs("before")))
	t.From(a.number(), 0, 1)
	t.Delete(t.Only(t.Name()))
	a.renewed()
	t.Fine(p.logs.ConsumeLogs(ctx, logs("behind")))
	if record := t.From(a.number(), 0, 1)[0]; record.Text != "behind" {
		t.Errorf("%+v", record)
	}
	if p.told.FilterMessageSnippet("unauthorized").Len() == 0 {
		t.Error("nobody told the exporter that its credential was dead")
	}
}

func TestRulesApplyToWhatAnExporterSends(test *testing.T) {
	t := tenant.Of(test)
	door := t.Source(map[string]any{"filters": []any{
		map[string]any{"name": "m", "filterType": "Mask", "regexp": `password=(\S+)`, "mask": "***"},
		map[string]any{"name": "x", "filterType": "Exclude", "regexp": ".*DEBUG.*"}}})
	p := exporting(t, nil, settings{"log_format": "text", "endpoint": door.URL})
	t.Fine(p.logs.ConsumeLogs(context.Background(), logs("password=a x", "DEBUG y", "z")))
	if record := t.From(door.Home.ID, door.ID, 1)[0]; record.Text != "password=*** x\nz" {
		t.Errorf("%+v", record)
	}
	p.clean(t)
}

func TestASourceThatIsGoneRefusesData(test *testing.T) {
	t := tenant.Of(test)
	door := t.Source(nil)
	p := exporting(t, nil, settings{"log_format": "text", "endpoint": door.URL})
	t.Delete(door.Home)
	err := p.logs.ConsumeLogs(context.Background(), logs("lost"))
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package collector runs the extension and the exporter of OpenTelemetry collectors, as their vendor
// publishes them, with the URL changed and nothing else.
package collector

import (
	"context"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/sumologicextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/featuregate"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"muster/conformance/sumo/tenant"
)

// As the vendor builds it; the extension leaves the end out.
const build = "0.130.0-sumo-0-4d57200692d5c5c39effad4ae3b29fef79209113"

func TestMain(m *testing.M) {
	err := featuregate.GlobalRegistry().Set("extension.sumologic.updateCollectorMetadata", true)
	if err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

type settings map[string]any

// An agent is one life of a collector, from its start to its end.
type agent struct {
	*sumologicextension.SumologicExtension
	t    *tenant.Tenant
	logs *observer.ObservedLogs
	key  string // of its credential, as far as the test knows
}

func logged(level zapcore.Level) (component.TelemetrySettings, *observer.ObservedLogs) {
	core, logs := observer.New(level)
	telemetry := componenttest.NewNopTelemetrySettings()
	telemetry.Logger = zap.New(core)
	return telemetry, logs
}

// Configured is an agent that has not started.
func configured(t *tenant.Tenant, token tenant.Token, version string, more settings) *agent {
	t.Helper()
	all := settings{"installation_token": token.Text, "api_base_url": t.URL,
		"collector_name": t.Name(), "collector_credentials_directory": t.TempDir(),
		"heartbeat_interval": "20ms", "backoff": settings{"max_elapsed_time": "20s"}}
	maps.Copy(all, more)
	factory := sumologicextension.NewFactory()
	config := factory.CreateDefaultConfig()
	t.Fine(confmap.NewFromStringMap(all).Unmarshal(config))
	telemetry, logs := logged(zapcore.InfoLevel)
	made, err := factory.Create(context.Background(), extension.Settings{
		ID: component.NewID(factory.Type()), TelemetrySettings: telemetry,
		BuildInfo: component.BuildInfo{Version: version}}, config)
	t.Fine(err)
	return &agent{SumologicExtension: made.(*sumologicextension.SumologicExtension), t: t, logs: logs}
}

// Started is an agent that runs until it is stopped or the test ends.
func started(t *tenant.Tenant, token tenant.Token, more settings) *agent {
	t.Helper()
	a := configured(t, token, build, more)
	a.start()
	return a
}

func (a *agent) start() {
	a.t.Helper()
	a.t.Fine(a.Start(context.Background(), componenttest.NewNopHost()))
	a.t.Cleanup(a.stop)
	a.renewed()
}

func (a *agent) stop() { a.t.Fine(a.Shutdown(context.Background())) }

// Renewed waits until the credential is another one than it was.
func (a *agent) renewed() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tenant.Patience)
	defer cancel()
	key := a.WatchCredentialKey(ctx, a.key)
	if key == a.key {
		a.t.Fatal("waited in vain for another credential")
	}
	a.key = key
}

// ID is the number of the collector.
func (a *agent) number() int64 {
	a.t.Helper()
	number, err := strconv.ParseInt(a.CollectorID(), 16, 64)
	a.t.Fine(err)
	return number
}

// Fails starts an agent that must not come up: what it ends with.
func (a *agent) fails() string {
	a.t.Helper()
	err := a.Start(context.Background(), componenttest.NewNopHost())
	if err == nil {
		a.t.Fatal("it started")
	}
	return err.Error()
}

// Told is a field of the first log line with this message.
func (a *agent) told(message, field string) any {
	a.t.Helper()
	lines := a.logs.FilterMessage(message).All()
	if len(lines) == 0 {
		a.t.Fatalf("nothing was logged about %q: %v", message, a.logs.All())
	}
	return lines[0].ContextMap()[field]
}

// Beats waits for heartbeats that the server took after now.
func (a *agent) beats() {
	a.t.Helper()
	seen := func() int64 { return a.shown().LastSeenAlive }
	first := seen()
	a.t.Wait("a heartbeat", func() bool { return seen() > first })
}

// Shown is the agent as the server tells it.
func (a *agent) shown() tenant.Collector {
	a.t.Helper()
	var told struct{ Collector tenant.Collector }
	a.t.Call(http.StatusOK, http.MethodGet, "/collectors/"+strconv.FormatInt(a.number(), 10), nil, &told)
	return told.Collector
}

// Suffixed says whether a name is another one with the suffix of a name that was taken.
func suffixed(name, base string) bool {
	digits, is := strings.CutPrefix(name, base+"-")
	return is && len(digits) == 13 && strings.Trim(digits, "0123456789") == ""
}

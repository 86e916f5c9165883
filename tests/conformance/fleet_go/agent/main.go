// SPDX-License-Identifier: Apache-2.0

// Command agent drives the methods that a collector calls, with the client that Alloy is built with:
// agent URL AUTHORIZATION.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	collectorv1 "github.com/grafana/alloy-remote-config/api/gen/proto/go/collector/v1"
	"github.com/grafana/alloy-remote-config/api/gen/proto/go/collector/v1/collectorv1connect"

	"muster/conformance/fleet/check"
)

var local = map[string]string{"collector.os": "linux", "collector.version": "v1.18.0", "env": "prod"}

func config(status collectorv1.RemoteConfigStatuses, message, effective string) *collectorv1.GetConfigRequest {
	made := &collectorv1.GetConfigRequest{Id: "go", LocalAttributes: local,
		RemoteConfigStatus: &collectorv1.RemoteConfigStatus{Status: status, ErrorMessage: message}}
	if effective != "" {
		made.EffectiveConfig = &collectorv1.EffectiveConfig{
			ConfigMap: &collectorv1.AgentConfigMap{ConfigMap: map[string]*collectorv1.AgentConfigFile{
				"": {Body: []byte(effective), ContentType: "text/plain"}}}}
	}
	return made
}

// The calls of a start, a few ticks, a failure and the end.
func life(s *check.Suite, name string, client collectorv1connect.CollectorServiceClient) {
	register := &collectorv1.RegisterCollectorRequest{Id: "go", Name: "gopher", LocalAttributes: local}
	var first *collectorv1.GetConfigResponse
	s.Run(name+": RegisterCollector twice", func() {
		for range 2 {
			check.Call(client.RegisterCollector, register)
		}
	})
	s.Run(name+": GetConfig at first", func() {
		first = check.Call(client.GetConfig, config(collectorv1.RemoteConfigStatuses_RemoteConfigStatuses_UNSET, "", ""))
		sum := sha256.Sum256([]byte(first.Content))
		check.Equal("the hash", first.Hash, hex.EncodeToString(sum[:]))
		check.That(strings.Contains(first.Content, "// for production\n"), "no pipeline in %q", first.Content)
		check.Equal("not modified", first.NotModified, false)
	})
	s.Run(name+": GetConfig with a status and an effective configuration", func() {
		request := config(collectorv1.RemoteConfigStatuses_RemoteConfigStatuses_APPLIED, "", first.Content)
		request.Hash = first.Hash
		again := check.Call(client.GetConfig, request)
		check.Equal("not modified", again.NotModified, true)
		check.Equal("the content", again.Content, "")
		check.Equal("the hash", again.Hash, first.Hash)
	})
	s.Run(name+": GetConfig unchanged", func() {
		for range 3 {
			again := check.Call(client.GetConfig,
				&collectorv1.GetConfigRequest{Id: "go", LocalAttributes: local, Hash: first.Hash})
			check.Equal("not modified", again.NotModified, true)
		}
	})
	s.Run(name+": GetConfig with a failure", func() {
		request := config(collectorv1.RemoteConfigStatuses_RemoteConfigStatuses_FAILED, "line 1: \u00e9", "")
		request.Hash = first.Hash
		check.Equal("not modified", check.Call(client.GetConfig, request).NotModified, true)
	})
	s.Run(name+": GetConfig with the old attributes", func() {
		old := check.Call(client.GetConfig, &collectorv1.GetConfigRequest{Id: "go", Attributes: local}) //nolint:staticcheck
		check.Equal("the hash", old.Hash, first.Hash)
	})
	s.Run(name+": GetConfig of somebody else", func() {
		other := check.Call(client.GetConfig, &collectorv1.GetConfigRequest{Id: "other", Hash: first.Hash})
		check.That(other.Hash != first.Hash && strings.HasPrefix(other.Content, "//"), "%q", other.Content)
	})
	s.Run(name+": requests that are refused", func() {
		check.Refused(connect.CodeInvalidArgument, client.GetConfig, &collectorv1.GetConfigRequest{})
		check.Refused(connect.CodeInvalidArgument, client.RegisterCollector, &collectorv1.RegisterCollectorRequest{})
		check.Refused(connect.CodeInvalidArgument, client.UnregisterCollector, &collectorv1.UnregisterCollectorRequest{})
	})
	s.Run(name+": UnregisterCollector within a second", func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_, err := client.UnregisterCollector(ctx, connect.NewRequest(&collectorv1.UnregisterCollectorRequest{Id: "go"}))
		check.That(err == nil, "%v", err)
	})
}

func main() {
	url, authorization := os.Args[1], os.Args[2]
	suite := &check.Suite{}
	for _, way := range check.Ways(authorization) {
		life(suite, way.Name, collectorv1connect.NewCollectorServiceClient(way.Client, url, way.Options...))
		if strings.HasPrefix(way.Name, "connect") {
			options := append([]connect.ClientOption{connect.WithHTTPGet()}, way.Options...)
			life(suite, way.Name+" GET", collectorv1connect.NewCollectorServiceClient(way.Client, url+"/", options...))
		}
		suite.Run(way.Name+": no credential", func() {
			options := append(way.Options[:len(way.Options)-1:len(way.Options)-1], check.Authorized(""))
			nobody := collectorv1connect.NewCollectorServiceClient(way.Client, url, options...)
			check.Refused(connect.CodeUnauthenticated, nobody.GetConfig, &collectorv1.GetConfigRequest{Id: "go"})
		})
	}
	suite.Done()
}

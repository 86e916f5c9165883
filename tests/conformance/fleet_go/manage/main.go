// SPDX-License-Identifier: Apache-2.0

// Command manage drives the methods of management with the vendor's client, one by one and in the
// order in which the vendor's Terraform provider and its synchronizing action call them: manage URL
// AUTHORIZATION. The tenant is left without collectors and pipelines.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"connectrpc.com/connect"
	collectorv1 "github.com/grafana/fleet-management-api/api/gen/proto/go/collector/v1"
	"github.com/grafana/fleet-management-api/api/gen/proto/go/collector/v1/collectorv1connect"
	pipelinev1 "github.com/grafana/fleet-management-api/api/gen/proto/go/pipeline/v1"
	"github.com/grafana/fleet-management-api/api/gen/proto/go/pipeline/v1/pipelinev1connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"muster/conformance/fleet/check"
)

type world struct {
	*check.Suite
	name       string
	collectors collectorv1connect.CollectorServiceClient
	pipelines  pipelinev1connect.PipelineServiceClient
	// Of the same form as the request that this release of the vendor's module lacks.
	bulkDelete *connect.Client[collectorv1.BulkDeleteCollectorsRequest, emptypb.Empty]
	limits     *connect.Client[emptypb.Empty, structpb.Struct]
	binary     bool
}

func (w *world) run(name string, body func()) { w.Run(w.name+": "+name, body) }

func (w *world) collector(id string) *collectorv1.Collector {
	return check.Call(w.collectors.GetCollector, &collectorv1.GetCollectorRequest{Id: id})
}

func (w *world) pipeline(id string) *pipelinev1.Pipeline {
	return check.Call(w.pipelines.GetPipeline, &pipelinev1.GetPipelineRequest{Id: id})
}

// Ids as a list without matchers tells them.
func (w *world) ids(matchers ...string) []string {
	var found []string
	for _, c := range check.Call(w.collectors.ListCollectors,
		&collectorv1.ListCollectorsRequest{Matchers: matchers}).Collectors {
		found = append(found, c.Id)
	}
	return found
}

func (w *world) names() []string {
	var found []string
	for _, p := range check.Call(w.pipelines.ListPipelines, &pipelinev1.ListPipelinesRequest{}).Pipelines {
		found = append(found, p.Name)
	}
	slices.Sort(found)
	return found
}

func same(what string, got, wanted map[string]string) {
	check.That(maps.Equal(got, wanted), "%s are %v, not %v", what, got, wanted)
}

func list(what string, got []string, wanted ...string) {
	check.That(slices.Equal(got, wanted), "%s are %q, not %q", what, got, wanted)
}

// --- one by one

func (w *world) eachCollectorMethod() {
	create := func(id string) *collectorv1.CreateCollectorRequest {
		return &collectorv1.CreateCollectorRequest{Collector: &collectorv1.Collector{Id: id}}
	}
	w.run("CreateCollector", func() {
		for _, id := range []string{"b", "a"} {
			made := check.Call(w.collectors.CreateCollector, create(id))
			check.Equal("the id", made.Id, id)
			check.That(made.Enabled != nil && *made.Enabled, "enabled is %v", made.Enabled)
			check.Equal("the type", made.CollectorType, collectorv1.CollectorType_COLLECTOR_TYPE_ALLOY)
			check.That(made.CreatedAt.IsValid() && made.UpdatedAt.IsValid(), "times are missing")
			check.That(made.MarkedInactiveAt == nil, "inactive at %v", made.MarkedInactiveAt)
		}
		check.Refused(connect.CodeAlreadyExists, w.collectors.CreateCollector, create("a"))
		check.Refused(connect.CodeInvalidArgument, w.collectors.CreateCollector, &collectorv1.CreateCollectorRequest{})
	})
	w.run("GetCollector", func() {
		check.Equal("the id", w.collector("a").Id, "a")
		check.Refused(connect.CodeNotFound, w.collectors.GetCollector, &collectorv1.GetCollectorRequest{Id: "nobody"})
	})
	w.run("UpdateCollector", func() {
		changed := check.Call(w.collectors.UpdateCollector, &collectorv1.UpdateCollectorRequest{
			Collector: &collectorv1.Collector{Id: "a", Name: "n", Enabled: proto.Bool(false)}})
		check.Equal("the name", changed.Name, "n")
		check.That(changed.Enabled != nil && !*changed.Enabled, "enabled is %v", changed.Enabled)
		check.Refused(connect.CodeNotFound, w.collectors.UpdateCollector,
			&collectorv1.UpdateCollectorRequest{Collector: &collectorv1.Collector{Id: "nobody"}})
	})
	w.run("BulkUpdateCollectors", func() {
		ops := []*collectorv1.Operation{
			{Op: collectorv1.Operation_ADD, Path: "remoteAttributes.env", Value: proto.String("dev")},
			{Op: collectorv1.Operation_REPLACE, Path: "/remote_attributes/env", Value: proto.String("prod"),
				OldValue: proto.String("dev")},
			{Op: collectorv1.Operation_COPY, Path: "remoteAttributes.copy", From: proto.String("remoteAttributes.env")},
			{Op: collectorv1.Operation_MOVE, Path: "remoteAttributes.moved", From: proto.String("remoteAttributes.copy")},
			{Op: collectorv1.Operation_ADD, Path: "remoteAttributes.empty", Value: proto.String("")},
			{Op: collectorv1.Operation_REMOVE, Path: "remoteAttributes.moved", Value: proto.String("other")},
		}
		check.Call(w.collectors.BulkUpdateCollectors,
			&collectorv1.BulkUpdateCollectorsRequest{Ids: []string{"a", "b"}, Ops: ops})
		for _, id := range []string{"a", "b"} {
			same("attributes", w.collector(id).RemoteAttributes,
				map[string]string{"env": "prod", "moved": "prod", "empty": ""})
		}
		check.Refused(connect.CodeNotFound, w.collectors.BulkUpdateCollectors,
			&collectorv1.BulkUpdateCollectorsRequest{Ids: []string{"a", "nobody"}, Ops: []*collectorv1.Operation{
				{Op: collectorv1.Operation_REMOVE, Path: "remoteAttributes.env"}}})
		check.Equal("the value", w.collector("a").RemoteAttributes["env"], "prod")
		check.Refused(connect.CodeInvalidArgument, w.collectors.BulkUpdateCollectors,
			&collectorv1.BulkUpdateCollectorsRequest{Ids: []string{"a"}})
	})
	w.run("ListCollectors", func() {
		list("ids", w.ids(), "a", "b")
		list("ids", w.ids("env=prod", `collector.ID=~"[b-z]"`), "b")
		list("ids", w.ids("env=dev"))
		check.Refused(connect.CodeInvalidArgument, w.collectors.ListCollectors,
			&collectorv1.ListCollectorsRequest{Matchers: []string{"env"}})
	})
	w.run("ListCollectorAttributes", func() {
		told := check.Call(w.collectors.ListCollectorAttributes, &collectorv1.ListCollectorAttributesRequest{})
		check.Equal("the value", told.RemoteAttributes["env"].Values[0].Value, "prod")
		check.Equal("values of the id", len(told.LocalAttributes["collector.ID"].Values), 1)
		check.Equal("the value", told.LocalAttributes["collector.ID"].Values[0].Value, "")
	})
	w.run("DeleteCollector", func() {
		check.Call(w.collectors.DeleteCollector, &collectorv1.DeleteCollectorRequest{Id: "a"})
		check.Refused(connect.CodeNotFound, w.collectors.DeleteCollector, &collectorv1.DeleteCollectorRequest{Id: "a"})
	})
	w.run("BulkDeleteCollectors", func() {
		check.Refused(connect.CodeNotFound, w.collectors.BulkDeleteCollectors,
			&collectorv1.BulkDeleteCollectorsRequest{Ids: []string{"b", "a"}})
		check.Call(w.collectors.BulkDeleteCollectors, &collectorv1.BulkDeleteCollectorsRequest{Ids: []string{"b"}})
		list("ids", w.ids())
	})
}

func (w *world) eachPipelineMethod() {
	var id string
	draft := func(name, contents string) *pipelinev1.Pipeline {
		return &pipelinev1.Pipeline{Name: name, Contents: contents}
	}
	w.run("CreatePipeline", func() {
		pipeline := draft("p", "// 1\n")
		pipeline.Metadata, _ = structpb.NewStruct(map[string]any{"n": 1.5, "l": []any{nil, "x", true}})
		seen := check.Call(w.pipelines.CreatePipeline,
			&pipelinev1.CreatePipelineRequest{Pipeline: pipeline, ValidateOnly: true})
		check.That(seen.Id == nil, "an id of what was not made")
		list("names", w.names())
		made := check.Call(w.pipelines.CreatePipeline, &pipelinev1.CreatePipelineRequest{Pipeline: pipeline})
		check.That(made.Id != nil && *made.Id != "", "no id")
		id = *made.Id
		check.That(proto.Equal(made.Metadata, pipeline.Metadata), "metadata are %v", made.Metadata)
		check.Equal("the type", made.ConfigType, pipelinev1.ConfigType_CONFIG_TYPE_ALLOY)
		check.Refused(connect.CodeAlreadyExists, w.pipelines.CreatePipeline,
			&pipelinev1.CreatePipelineRequest{Pipeline: pipeline})
		check.Refused(connect.CodeInvalidArgument, w.pipelines.CreatePipeline,
			&pipelinev1.CreatePipelineRequest{Pipeline: draft("q", "}")})
	})
	w.run("GetPipeline", func() {
		check.Equal("the contents", w.pipeline(id).Contents, "// 1\n")
		check.Refused(connect.CodeNotFound, w.pipelines.GetPipeline, &pipelinev1.GetPipelineRequest{Id: "0"})
	})
	w.run("GetPipelineID", func() {
		check.Equal("the id", check.Call(w.pipelines.GetPipelineID,
			&pipelinev1.GetPipelineIDRequest{Name: "p"}).Id, id)
		check.Refused(connect.CodeNotFound, w.pipelines.GetPipelineID, &pipelinev1.GetPipelineIDRequest{Name: "q"})
	})
	w.run("UpdatePipeline", func() {
		changed := check.Call(w.pipelines.UpdatePipeline,
			&pipelinev1.UpdatePipelineRequest{Pipeline: draft("p", "// 2\n")})
		check.Equal("the id", changed.GetId(), id)
		check.That(changed.Metadata == nil, "metadata were kept")
		check.Refused(connect.CodeNotFound, w.pipelines.UpdatePipeline,
			&pipelinev1.UpdatePipelineRequest{Pipeline: draft("q", "// 2\n")})
	})
	w.run("UpsertPipeline", func() {
		check.Equal("the id", check.Call(w.pipelines.UpsertPipeline,
			&pipelinev1.UpsertPipelineRequest{Pipeline: draft("p", "// 3\n")}).GetId(), id)
	})
	w.run("ListPipelines", func() {
		list("names", w.names(), "p")
		for _, filter := range []*pipelinev1.ListPipelinesRequest{
			{Enabled: proto.Bool(false)}, {ConfigType: pipelinev1.ConfigType_CONFIG_TYPE_OTEL.Enum()},
			{LocalAttributes: map[string]string{"a": "b"}}} {
			check.Equal("pipelines", len(check.Call(w.pipelines.ListPipelines, filter).Pipelines), 0)
		}
	})
	w.run("ListPipelineRevisions, ListPipelinesRevisions, GetPipelineRevision", func() {
		told := check.Call(w.pipelines.ListPipelineRevisions, &pipelinev1.ListPipelineRevisionsRequest{Id: id})
		var contents []string
		for _, r := range told.PipelineRevisions {
			contents = append(contents, r.Operation.String()+r.Snapshot.Contents)
		}
		list("revisions", contents, "UPDATE// 3\n", "UPDATE// 2\n", "INSERT// 1\n")
		all := check.Call(w.pipelines.ListPipelinesRevisions, &pipelinev1.ListPipelinesRevisionsRequest{})
		check.That(proto.Equal(all.PipelineRevisions[0], told.PipelineRevisions[0]), "another is the newest")
		one := check.Call(w.pipelines.GetPipelineRevision,
			&pipelinev1.GetPipelineRevisionRequest{RevisionId: told.PipelineRevisions[2].RevisionId})
		check.That(proto.Equal(one, told.PipelineRevisions[2]), "%v", one)
		check.Refused(connect.CodeNotFound, w.pipelines.GetPipelineRevision,
			&pipelinev1.GetPipelineRevisionRequest{RevisionId: "0"})
	})
	w.run("BulkDeletePipelines", func() {
		other := check.Call(w.pipelines.UpsertPipeline,
			&pipelinev1.UpsertPipelineRequest{Pipeline: draft("q", "// q\n")}).GetId()
		check.Refused(connect.CodeNotFound, w.bulkDelete.CallUnary,
			&collectorv1.BulkDeleteCollectorsRequest{Ids: []string{other, "0"}})
		list("names", w.names(), "p", "q")
		check.Call(w.bulkDelete.CallUnary, &collectorv1.BulkDeleteCollectorsRequest{Ids: []string{other}})
	})
	w.run("DeletePipeline", func() {
		check.Call(w.pipelines.DeletePipeline, &pipelinev1.DeletePipelineRequest{Id: id})
		check.Refused(connect.CodeNotFound, w.pipelines.DeletePipeline, &pipelinev1.DeletePipelineRequest{Id: id})
		list("names", w.names())
	})
	w.run("CreateAlloyPipelines", func() {
		check.Refused(connect.CodeUnimplemented, w.pipelines.CreateAlloyPipelines,
			&pipelinev1.CreateAlloyPipelinesRequest{})
	})
	w.run("GetLimits", func() {
		if w.binary {
			check.Refused(connect.CodeUnimplemented, w.limits.CallUnary, &emptypb.Empty{})
		} else {
			check.Equal("limits", len(check.Call(w.limits.CallUnary, &emptypb.Empty{}).Fields), 0)
		}
	})
}

// --- the Terraform provider

// What a state holds of a collector, and what the provider reads back.
func (w *world) applied(id string, attributes map[string]string, enabled bool, kind collectorv1.CollectorType) {
	list("ids", w.ids(), id) // a refresh lists without matchers
	for range 2 {            // after the write, and by an import
		got := w.collector(id)
		same("attributes", got.RemoteAttributes, attributes)
		check.That(got.Enabled != nil, "enabled is missing")
		check.Equal("enabled", *got.Enabled, enabled)
		check.Equal("the type", got.CollectorType, kind)
		same("local attributes", got.LocalAttributes, map[string]string{"collector.ID": id})
	}
}

func (w *world) terraformCollector(kind collectorv1.CollectorType) {
	id := "testacc_" + kind.String()
	resource := func(attributes map[string]string, enabled bool) *collectorv1.Collector {
		return &collectorv1.Collector{Id: id, RemoteAttributes: attributes, Enabled: &enabled, CollectorType: kind}
	}
	w.run("terraform create "+kind.String(), func() {
		check.Call(w.collectors.CreateCollector,
			&collectorv1.CreateCollectorRequest{Collector: resource(nil, true)})
		w.applied(id, nil, true, kind)
	})
	for _, step := range []struct {
		name       string
		attributes map[string]string
		enabled    bool
	}{
		{"attributes", map[string]string{"env": "PROD", "owner": "TEAM-A"}, false},
		{"an empty map", map[string]string{}, false},
		{"defaults", nil, true},
	} {
		w.run("terraform update "+kind.String()+" to "+step.name, func() {
			check.Call(w.collectors.UpdateCollector,
				&collectorv1.UpdateCollectorRequest{Collector: resource(step.attributes, step.enabled)})
			w.applied(id, step.attributes, step.enabled, kind)
		})
	}
	w.run("terraform destroy "+kind.String(), func() {
		check.Call(w.collectors.DeleteCollector, &collectorv1.DeleteCollectorRequest{Id: id})
		check.Refused(connect.CodeNotFound, w.collectors.GetCollector, &collectorv1.GetCollectorRequest{Id: id})
		list("ids", w.ids())
	})
}

func (w *world) terraformPipeline(kind pipelinev1.ConfigType, contents ...string) {
	var id string
	name := "testacc_" + kind.String()
	resource := func(text string, enabled bool, matchers ...string) *pipelinev1.Pipeline {
		made := &pipelinev1.Pipeline{Name: name, Contents: text, Matchers: matchers, Enabled: &enabled,
			ConfigType: kind, Source: &pipelinev1.PipelineSource{
				Type: pipelinev1.PipelineSource_SOURCE_TYPE_TERRAFORM, Namespace: "default"}}
		if id != "" {
			made.Id = &id
		}
		return made
	}
	applied := func(wanted *pipelinev1.Pipeline) {
		imported := check.Call(w.pipelines.GetPipelineID, &pipelinev1.GetPipelineIDRequest{Name: name}).Id
		check.Equal("the id", imported, id)
		got := w.pipeline(imported)
		check.Equal("the id", got.GetId(), id)
		check.Equal("the contents", got.Contents, wanted.Contents)
		list("matchers", got.Matchers, wanted.Matchers...)
		check.Equal("enabled", got.GetEnabled(), wanted.GetEnabled())
		check.Equal("the type", got.ConfigType, kind)
		check.That(proto.Equal(got.Source, wanted.Source), "the source is %v", got.Source)
	}
	w.run("terraform create "+kind.String(), func() {
		pipeline := resource(contents[0], true)
		made := check.Call(w.pipelines.CreatePipeline, &pipelinev1.CreatePipelineRequest{Pipeline: pipeline})
		check.That(made.Id != nil, "no id")
		id = *made.Id
		applied(pipeline)
	})
	for i, matchers := range [][]string{
		{"collector.os=linux", `env="PROD"`}, {`env=PROD`, `collector.os="linux"`},
		{`owner=~"TEAM-.*"`, "region!=eu"}, {},
	} {
		w.run(fmt.Sprintf("terraform update %s, %d", kind, i), func() {
			pipeline := resource(contents[(i+1)%len(contents)], i%2 == 0, matchers...)
			check.Call(w.pipelines.UpdatePipeline, &pipelinev1.UpdatePipelineRequest{Pipeline: pipeline})
			applied(pipeline)
		})
	}
	w.run("terraform destroy "+kind.String(), func() {
		check.Call(w.pipelines.DeletePipeline, &pipelinev1.DeletePipelineRequest{Id: id})
		check.Refused(connect.CodeNotFound, w.pipelines.GetPipelineID, &pipelinev1.GetPipelineIDRequest{Name: name})
		check.Refused(connect.CodeNotFound, w.pipelines.GetPipeline, &pipelinev1.GetPipelineRequest{Id: id})
	})
}

// --- the synchronizing action

func (w *world) syncAction() {
	source := &pipelinev1.PipelineSource{Type: pipelinev1.PipelineSource_SOURCE_TYPE_GIT, Namespace: "owner/repo"}
	push := func(names ...string) *pipelinev1.SyncPipelinesRequest {
		made := &pipelinev1.SyncPipelinesRequest{Source: source}
		for _, name := range names {
			made.Pipelines = append(made.Pipelines, &pipelinev1.Pipeline{Name: name,
				Contents: "// " + name + "\n", Matchers: []string{"env=prod"}, Enabled: proto.Bool(true)})
		}
		return made
	}
	w.run("sync", func() {
		check.Call(w.pipelines.CreatePipeline, &pipelinev1.CreatePipelineRequest{
			Pipeline: &pipelinev1.Pipeline{Name: "by-hand", Contents: "// x\n"}})
		check.Call(w.pipelines.SyncPipelines, push("my-pipeline", "second"))
		list("names", w.names(), "by-hand", "my-pipeline", "second")
		check.Call(w.pipelines.SyncPipelines, push("second", "third"))
		list("names", w.names(), "by-hand", "second", "third")
	})
	w.run("sync of what is wrong", func() {
		check.Refused(connect.CodeInvalidArgument, w.pipelines.SyncPipelines, push("fourth", "fourth"))
		bad := push("fourth", "fifth")
		bad.Pipelines[1].Contents = "}"
		check.Refused(connect.CodeInvalidArgument, w.pipelines.SyncPipelines, bad)
		check.Refused(connect.CodeInvalidArgument, w.pipelines.SyncPipelines, &pipelinev1.SyncPipelinesRequest{})
		list("names", w.names(), "by-hand", "second", "third")
	})
	w.run("sync takes over", func() {
		check.Call(w.pipelines.SyncPipelines, push("by-hand"))
		list("names", w.names(), "by-hand")
		check.Call(w.pipelines.SyncPipelines, push())
		list("names", w.names())
	})
}

func main() {
	url, authorization := os.Args[1], os.Args[2]
	suite := &check.Suite{}
	for _, way := range check.Ways(authorization) {
		w := &world{suite, way.Name,
			collectorv1connect.NewCollectorServiceClient(way.Client, url, way.Options...),
			pipelinev1connect.NewPipelineServiceClient(way.Client, url, way.Options...),
			connect.NewClient[collectorv1.BulkDeleteCollectorsRequest, emptypb.Empty](way.Client,
				url+"/pipeline.v1.PipelineService/BulkDeletePipelines", way.Options...),
			connect.NewClient[emptypb.Empty, structpb.Struct](way.Client,
				url+"/tenant.v1.TenantService/GetLimits", way.Options...),
			way.Binary}
		w.eachCollectorMethod()
		w.eachPipelineMethod()
		w.terraformCollector(collectorv1.CollectorType_COLLECTOR_TYPE_ALLOY)
		w.terraformCollector(collectorv1.CollectorType_COLLECTOR_TYPE_OTEL)
		w.terraformPipeline(pipelinev1.ConfigType_CONFIG_TYPE_ALLOY,
			"local.file \"f\" {\n\tfilename = \"x\"\n}\n", "\n\nlocal.file \"f\"   {\n  filename=\"x\"\n}\n\n")
		w.terraformPipeline(pipelinev1.ConfigType_CONFIG_TYPE_OTEL, "a:\n  b: 1\n", "a: {b: 2}\n\n")
		w.syncAction()
	}
	suite.Done()
}

# SPDX-License-Identifier: Apache-2.0
"""tools/protoc-gen-muster on its own: what it makes compiles, and what C cannot hold is an error."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEAD = 'syntax = "proto3";\npackage t.v1;\n'


def generate(folder, text, name="t.proto", more=()):
    """protoc's exit code and complaint; the result is in folder/proto."""
    (folder / "proto").mkdir(exist_ok=True)
    (folder / name).write_text(text)
    done = subprocess.run(
        ["protoc", f"--plugin=protoc-gen-muster={ROOT / 'tools/protoc-gen-muster'}",
         f"--muster_out={folder / 'proto'}", f"-I{folder}", f"-I{ROOT / 'proto'}",
         "-I/usr/include", name, *more], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def refused(folder, text):
    code, complaint = generate(folder, HEAD + text)
    assert code != 0
    return complaint


def test_awkward_names_compile(tmp_path):
    code, complaint = generate(tmp_path, HEAD + """
        message Empty {}
        message HTTPServerV2Config {
          optional int32 default = 1;
          string linux = 2;
          map<string, HTTPServerV2Config> register = 3;
          oneof union { bool char = 4; Empty NULL = 5; }
          enum Kind { UNSPECIFIED = 0; FAR_BELOW = -2147483648; LOUD = 1; }
          repeated Kind kindOfIt = 6;
          repeated int64 loose = 7 [packed = false, deprecated = true];
          string what = 8 [json_name = "\\"?\\\\"];
        }
        service S { rpc Do(Empty) returns (stream HTTPServerV2Config); }
        """)
    assert code == 0, complaint
    header = (tmp_path / "proto/t.pb.h").read_text()
    for declared in ("struct t_v1_http_server_v2_config {", "bool has_default;",
                     "int32_t default_;", "bool char_;", "T_V1_HTTP_SERVER_V2_CONFIG_FAR_BELOW",
                     "int32_t *items; /* enum t_v1_http_server_v2_config_kind */",
                     "T_V1_S_DO = 0,", "T_V1_S_METHOD_COUNT = 1,"):
        assert declared in header
    subprocess.run(["gcc", "-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion",
                    "-Werror", f"-I{ROOT / 'src'}", f"-I{tmp_path}",
                    str(tmp_path / "proto/t.pb.c")], check=True, timeout=60)


def test_the_same_input_makes_the_same_output(tmp_path):
    text = HEAD + "message M { map<string, int32> m = 1; oneof o { int32 a = 2; M b = 3; } }"
    outputs = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        assert generate(folder, text)[0] == 0
        outputs.append((folder / "proto/t.pb.c").read_text())
    assert outputs[0] == outputs[1]


def test_messages_that_would_have_one_name_in_c_are_refused(tmp_path):
    complaint = refused(tmp_path, "message FooBar {}\nmessage Foo_Bar {}\n")
    assert "t.v1.FooBar" in complaint and "t.v1.Foo_Bar" in complaint
    assert "t_v1_foo_bar" in complaint


def test_a_field_named_as_the_presence_of_another_is_refused(tmp_path):
    assert "has_x" in refused(tmp_path, "message M { optional int32 x = 1; bool has_x = 2; }")


def test_constants_that_would_have_one_name_in_c_are_refused(tmp_path):
    complaint = refused(tmp_path, "message M { oneof k { bool a = 1; } enum E { Z = 0; K_A = 1; } }")
    assert "T_V1_M_K_A" in complaint


def test_a_message_of_a_proto2_file_cannot_be_used(tmp_path):
    (tmp_path / "old.proto").write_text('syntax = "proto2";\npackage old;\nmessage Old {}\n')
    complaint = refused(tmp_path, 'import "old.proto";\nmessage M { old.Old o = 1; }\n')
    assert "old.Old" in complaint


def test_a_proto2_file_yields_its_descriptor_only(tmp_path):
    text = 'syntax = "proto2";\npackage old;\nmessage Old { required int32 x = 1; }\n'
    assert generate(tmp_path, text)[0] == 0
    made = (tmp_path / "proto/t.pb.c").read_text()
    assert "struct proto_field" not in made
    assert ".descriptor = " in made and '"old.Old.x"' in made


def test_an_unknown_parameter_is_refused(tmp_path):
    code, complaint = generate(tmp_path, HEAD, more=("--muster_opt=sauce=here",))
    assert code != 0 and "sauce" in complaint

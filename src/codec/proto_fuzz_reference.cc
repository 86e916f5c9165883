/* SPDX-License-Identifier: Apache-2.0 */
/* libprotobuf with messages that it learns at run time. One thread. */
#include "codec/proto_fuzz_reference.h"

#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/map_field.h>

#include "base/macros.h"

namespace pb = google::protobuf;

namespace google::protobuf::python
{

/* The one friend of Reflection that libprotobuf leaves to be defined by others. */
class MapReflectionFriend
{
  public:
    /* A dynamic message holds a map as the entries that came, equal keys too, until it is asked
     * for the map. */
    static void settle(Message *msg, const FieldDescriptor *field)
    {
        const Reflection *r = msg->GetReflection();

        IGNORE(r->MapSize(*msg, field));
        if (field->message_type()->map_value()->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
            return;
        for (MapIterator at = r->MapBegin(msg, field); at != r->MapEnd(msg, field); ++at)
            settle_all(at.MutableValueRef()->MutableMessageValue());
    }

    static void settle_all(Message *msg)
    {
        const Reflection *r = msg->GetReflection();
        std::vector<const FieldDescriptor *> fields;

        r->ListFields(*msg, &fields);
        for (const FieldDescriptor *field : fields) {
            if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
                continue;
            if (field->is_map())
                settle(msg, field);
            else if (field->is_repeated())
                for (int i = 0; i < r->FieldSize(*msg, field); i++)
                    settle_all(r->MutableRepeatedMessage(msg, field, i));
            else
                settle_all(r->MutableMessage(msg, field));
        }
    }
};

} /* namespace google::protobuf::python */

struct proto_reference {
    pb::DescriptorPool pool;
    pb::DynamicMessageFactory factory;
    std::string out;
};

struct proto_reference *proto_reference_new(void)
{
    pb::SetLogHandler(nullptr); /* bad UTF-8 is not worth a line each time */
    return new proto_reference;
}

bool proto_reference_add(struct proto_reference *r, const void *descriptor, size_t len)
{
    pb::FileDescriptorProto file;

    return file.ParseFromArray(descriptor, static_cast<int>(len)) && r->pool.BuildFile(file);
}

const void *proto_reference_recode(struct proto_reference *r, const char *full_name,
                                   const void *data, size_t len, bool keep_unknown, size_t *out_len)
{
    const pb::Descriptor *type = r->pool.FindMessageTypeByName(full_name);

    if (!type)
        abort();

    std::unique_ptr<pb::Message> msg(r->factory.GetPrototype(type)->New());

    if (!msg->ParseFromArray(data, static_cast<int>(len)))
        return nullptr;
    pb::python::MapReflectionFriend::settle_all(msg.get());
    if (!keep_unknown) {
        msg->DiscardUnknownFields(); /* looks at the entries again, and so unsettles them */
        pb::python::MapReflectionFriend::settle_all(msg.get());
    }
    r->out.clear();
    {
        pb::io::StringOutputStream stream(&r->out);
        pb::io::CodedOutputStream coded(&stream);

        coded.SetSerializationDeterministic(true);
        msg->SerializePartialToCodedStream(&coded);
    }
    *out_len = r->out.size();
    return r->out.data();
}

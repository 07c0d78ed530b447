using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Decant.EndToEnd.Harness;

/// <summary>Requests made by the contract's descriptors: valid ones, and any at all.</summary>
internal static class Requests
{
    private const string Digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    /// <summary>Texts that are right somewhere, and such as break programs.</summary>
    private static readonly string[] Texts =
    [
        "demo", "shop", "main", "blue", "edge", "web1", "1.0.0", Digest, "d1", "op-1", ":ok", "/health", "shop@127.0.0.1", "Env_1",
        "", " ", "..", "../../etc/passwd", "/", "-x", "a\0b", "\u001b[31m", "é漢字😀", "a\nb\r\n", "%s%n{0}", "'\"\\$(reboot)`id`", "NULL", "A@b",
        new('x', 64), new('y', 5000), new('@', 300), "-1", "1e999", "shop@", "@host", "a@[::1]", "\uFFFD",
    ];

    private static readonly long[] Numbers = [0, 1, 2, 80, 100, 443, 4000, 65535, 65536, 1_000_000, -1, int.MaxValue, int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue];

    /// <summary>A valid request of a call that changes something. What it names need not be there.</summary>
    /// <param name="method">The call.</param>
    /// <param name="operation">The operation's id.</param>
    /// <param name="port">A port that nobody listens on.</param>
    /// <param name="digest">Of the release 1.0.0; one that is not there when it is not given.</param>
    public static IMessage Valid(MethodDescriptor method, string operation, int port, string digest = Digest)
    {
        // Releases to keep in one call, how long to keep an instance warm in another.
        var keep = method.InputType.FindFieldByName("keep")?.FieldType == FieldType.Message ? "\"600s\"" : "1";
        var text = $$"""
            {
              "operation": { "id": "{{operation}}", "deploymentId": "d1" }, "app": "demo", "slot": "main",
              "release": { "version": "1.0.0", "digest": "{{digest}}" }, "spec": { "port": {{port}}, "env": { "B": "2", "A": "1" } },
              "health": { "tcp": {} }, "expression": ":ok", "keep": {{keep}}, "balancer": "edge", "backend": "demo", "member": "web1",
              "into": [ { "member": "web1" } ], "outOf": [ "web2" ],
              "holder": { "id": "{{operation}}", "purpose": "a test" }, "by": "a tester", "fencingToken": "1",
              "record": { "id": "d1", "app": "demo", "attempt": 1 },
              "id": "{{operation}}", "reason": "a test", "tail": 5, "limit": 5, "timeout": "2s", "deadline": "1s",
              "header": { "app": "demo", "release": { "version": "1.0.0", "digest": "{{digest}}" }, "totalBytes": 1000 }
            }
            """;
        return new JsonParser(JsonParser.Settings.Default.WithIgnoreUnknownFields(true)).Parse(text, method.InputType);
    }

    /// <summary>A valid request in which one to three fields, at any depth, are anything.</summary>
    public static IMessage Nearly(MethodDescriptor method, string operation, int port, string digest, Random random)
    {
        var request = Valid(method, operation, port, digest);
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var message = request;
            while (message.Descriptor.Fields.InDeclarationOrder() is { Count: > 0 } fields)
            {
                var field = fields[random.Next(fields.Count)];
                if (field is { IsMap: false, IsRepeated: false, FieldType: FieldType.Message } && field.Accessor.GetValue(message) is IMessage inner && random.Next(4) > 0)
                {
                    message = inner;
                    continue;
                }

                Change(message, field, random, depth: 2);
                break;
            }
        }

        return request;
    }

    /// <summary>A message with anything in it.</summary>
    public static IMessage Any(MessageDescriptor type, Random random, int depth = 0)
    {
        var message = type.Parser.ParseFrom([]);
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            // More often set than not, or the first missing field would hide the others.
            if (random.Next(8) > 0) Change(message, field, random, depth);
        }

        return message;
    }

    private static void Change(IMessage message, FieldDescriptor field, Random random, int depth)
    {
        if (field.IsMap)
        {
            var map = (System.Collections.IDictionary)field.Accessor.GetValue(message);
            for (var i = random.Next(3); i > 0; i--) map[Text(random)] = Text(random);
        }
        else if (!field.IsRepeated && (field.FieldType != FieldType.Message || depth < 4))
        {
            field.Accessor.SetValue(message, Value(field, random, depth));
        }
    }

    private static object Value(FieldDescriptor field, Random random, int depth) => field.FieldType switch
    {
        FieldType.String => Text(random),
        FieldType.Bool => random.Next(2) == 0,
        FieldType.Bytes => ByteString.CopyFrom(Encoding(random)),
        FieldType.UInt32 => unchecked((uint)Number(random)),
        FieldType.Int32 => unchecked((int)Number(random)),
        FieldType.UInt64 => unchecked((ulong)Number(random)),
        FieldType.Int64 => Number(random),
        FieldType.Message => Any(field.MessageType, random, depth + 1),
        // One that is known, none, or one of a later version.
        FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, random.Next(-1, field.EnumType.Values.Count + 1)),
        _ => throw new NotSupportedException(string.Create(CultureInfo.InvariantCulture, $"a request has the field {field.FullName} of type {field.FieldType}: say what values it takes")),
    };

    private static string Text(Random random) => Texts[random.Next(Texts.Length)];

    private static long Number(Random random) => Numbers[random.Next(Numbers.Length)];

    private static byte[] Encoding(Random random)
    {
        var bytes = new byte[random.Next(2000)];
        random.NextBytes(bytes);
        return bytes;
    }
}

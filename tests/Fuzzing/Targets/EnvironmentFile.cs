using System.Globalization;
using Decant.Agent.Elixir;
using Decant.Errors;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>An app's environment: variables that a process can have, or a refusal with the line, and never with a value.</summary>
internal sealed class EnvironmentFile : FuzzTarget
{
    private Room room = null!;
    private string path = "";

    public override IEnumerable<byte[]> Seeds => Bytes(
        "# secrets\nexport SECRET_KEY_BASE='abc def'\nDATABASE_URL=\"ecto://a:\\\"b\\\\c\\n\\$d\"\nPOOL=5\n\n EMPTY=\n", "A\n", "1A=b\n", "A='b\n", "A=\"b\"c\n", "-----BEGIN PRIVATE KEY-----\nabcdefghijkl\n", "");

    public override IReadOnlyList<byte[]> Words => Bytes("export ", "=", "'", "\"", "\\", "\\n", "\n", "\r", "\0", "#", "A", "SECRET=", " ", "\u0085", "\u2028", "\uFEFF");

    public override long MayAllocate(int length) => (1 << 20) + (2000L * length);

    public override void Open()
    {
        room = new Room();
        path = room["app.env"];
        File.WriteAllText(path, "");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public override void Close() => room.Dispose();

    public override string Run(byte[] input)
    {
        File.WriteAllBytes(path, input);
        try
        {
            var variables = EnvFile.Read(path);
            Promise(variables.Keys.All(EnvFile.IsName), "a name is none");
            Promise(variables.Values.All(v => !v.Contains('\0', StringComparison.Ordinal)), "a value has a NUL in it, which no process can have");
            return $"{Math.Min(5, variables.Count)} variables";
        }
        catch (OperatorException refused)
        {
            Promise(refused.Error.Reason == "ENV_FILE_INVALID", $"refused with {refused.Error.Reason}");
            var message = refused.Error.Message.Replace(path, "", StringComparison.Ordinal);
            Readable(message);
            // ":7: ", and what stands there.
            var line = File.ReadAllLines(path)[int.Parse(message.Split(':')[1], CultureInfo.InvariantCulture) - 1];
            var secret = line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..].Trim();
            // Short pieces are in any sentence, and the name may be shown.
            Promise(secret.Length < 12 || line.Contains(secret + "=", StringComparison.Ordinal) || !message.Contains(secret, StringComparison.Ordinal), "a value is in the message");
            return message.Split(':')[^1][..8];
        }
    }
}

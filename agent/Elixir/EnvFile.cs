using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Elixir;

/// <summary>
/// The host's own environment of an app, secrets included: <c>KEY=VALUE</c> lines, <c>#</c> comments, values optionally in single quotes (as
/// they are) or double quotes (with \\, \", \n, \$). No value of it is ever part of a message.
/// </summary>
internal static class EnvFile
{
    private const long MaxBytes = 1 << 20;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Reads the file.</summary>
    /// <exception cref="OperatorException">ENV_FILE_UNREADABLE, ENV_FILE_EXPOSED or ENV_FILE_INVALID, with the file and line.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxBytes) throw Refused("ENV_FILE_INVALID", $"{path} is larger than 1 MiB");
            if ((File.GetUnixFileMode(path) & Others) != 0)
                throw Refused("ENV_FILE_EXPOSED", $"{path} can be read or written by others than its owner", $"run: chmod 600 {path}");
            return Parse(path, File.ReadAllLines(path));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Refused("ENV_FILE_UNREADABLE", $"{path} cannot be read: {exception.Message}", "create it, or take it out of agent.yml");
        }
    }

    /// <summary>Reads lines.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="lines">Of the file.</param>
    /// <exception cref="OperatorException">ENV_FILE_INVALID with the line.</exception>
    public static IReadOnlyDictionary<string, string> Parse(string path, IReadOnlyList<string> lines)
    {
        var values = new Dictionary<string, string>();
        for (var i = 0; i < lines.Count; i++)
        {
            var line = lines[i].Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            if (line.StartsWith("export ", StringComparison.Ordinal)) line = line["export ".Length..].TrimStart();
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || !IsName(line[..equals])) throw Refused("ENV_FILE_INVALID", $"{path}:{i + 1}: not of the form NAME=VALUE");
            var value = Unquote(line[(equals + 1)..])
                ?? throw Refused("ENV_FILE_INVALID", $"{path}:{i + 1}: the value of {Printable.Line(line[..equals], 80)} has a quote that does not end, or text behind it");
            if (value.Contains('\0', StringComparison.Ordinal)) throw Refused("ENV_FILE_INVALID", $"{path}:{i + 1}: the value of {Printable.Line(line[..equals], 80)} has a NUL in it, which no process can have");
            values[line[..equals]] = value;
        }

        return values;
    }

    /// <summary>A name that a shell would take: letters, digits and '_', not beginning with a digit.</summary>
    public static bool IsName(string name)
        => name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    private static string? Unquote(string text)
    {
        text = text.Trim();
        if (text.Length == 0 || text[0] is not ('"' or '\'')) return text;
        if (text.Length < 2 || text[^1] != text[0]) return null;
        var inner = text[1..^1];
        if (text[0] == '\'') return inner.Contains('\'', StringComparison.Ordinal) ? null : inner;

        var value = new System.Text.StringBuilder();
        for (var i = 0; i < inner.Length; i++)
        {
            if (inner[i] == '"') return null;
            if (inner[i] != '\\')
            {
                value.Append(inner[i]);
                continue;
            }

            if (++i == inner.Length) return null;
            value.Append(inner[i] == 'n' ? '\n' : inner[i]);
        }

        return value.ToString();
    }

    private static OperatorException Refused(string reason, string message, string next = "mend the file and try again")
        => new(new OperatorError(StatusCode.FailedPrecondition, reason, message, next));
}

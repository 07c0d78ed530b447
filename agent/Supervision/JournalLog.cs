using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Decant.Agent.Supervision;

/// <summary>
/// A slot's output in the host's journal, read by journalctl(1): its JSON is a stable interface, and a follower is a process of its own that costs
/// the agent nothing while nothing comes. Both streams are one there, so no line is told to be of standard error.
/// </summary>
/// <param name="unit">The slot's unit.</param>
internal sealed class JournalLog(string unit) : IInstanceLog
{
    private const string Program = "/usr/bin/journalctl";

    /// <inheritdoc/>
    public IReadOnlyList<LoggedLine> LastLines(int count)
    {
        if (count <= 0) return [];
        using var journal = Start(count, follow: false);
        var lines = new List<LoggedLine>();
        while (journal.StandardOutput.ReadLine() is { } line)
        {
            if (Parse(line) is { } logged) lines.Add(logged);
        }

        journal.WaitForExit();
        return lines;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<(LoggedLine Line, long Lost)> FollowAsync(int tail, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var journal = Start(tail, follow: true);
        try
        {
            while (await journal.StandardOutput.ReadLineAsync(cancellation) is { } line)
            {
                if (Parse(line) is { } logged) yield return (logged, 0);
            }
        }
        finally
        {
            journal.Kill();
        }
    }

    /// <summary>An entry of <c>journalctl --output=json</c>; null when it has no text.</summary>
    public static LoggedLine? Parse(string line)
    {
        try
        {
            using var entry = JsonDocument.Parse(line);
            if (!entry.RootElement.TryGetProperty("MESSAGE", out var message) || Text(message) is not { } text) return null;
            var at = entry.RootElement.GetProperty("__REALTIME_TIMESTAMP").GetString();
            return new LoggedLine(
                DateTimeOffset.UnixEpoch.AddTicks(long.Parse(at!, CultureInfo.InvariantCulture) * TimeSpan.TicksPerMicrosecond), IsError: false, text);
        }
        catch (Exception exception) when (exception is JsonException or FormatException or KeyNotFoundException)
        {
            return null;
        }
    }

    /// <summary>A text; bytes where it is not UTF-8; nothing where it is longer than journalctl shows.</summary>
    private static string? Text(JsonElement message) => message.ValueKind switch
    {
        JsonValueKind.String => message.GetString(),
        JsonValueKind.Array when message.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number)
            => Encoding.UTF8.GetString([.. message.EnumerateArray().Select(item => (byte)item.GetInt32())]),
        _ => null,
    };

    private Process Start(int lines, bool follow)
    {
        var start = new ProcessStartInfo(
            Program,
            [
                "--quiet", "--output=json", "--output-fields=MESSAGE", "--all", "--lines", lines.ToString(CultureInfo.InvariantCulture),
                .. follow ? ["--follow"] : Array.Empty<string>(), $"_SYSTEMD_UNIT={unit}",
            ])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        start.Environment.Clear();
        var journal = Process.Start(start) ?? throw new IOException($"{Program} did not start");
        journal.StandardInput.Close();
        return journal;
    }
}

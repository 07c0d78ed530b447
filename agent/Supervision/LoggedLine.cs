using System.Globalization;
using System.Text;

namespace Decant.Agent.Supervision;

/// <summary>One line of an instance's output, as its log has it: <c>2026-11-24T13:00:00.1234567Z o text</c>.</summary>
/// <param name="At">When the keeper read it.</param>
/// <param name="IsError">Standard error.</param>
/// <param name="Text">Without its line end.</param>
internal readonly record struct LoggedLine(DateTimeOffset At, bool IsError, string Text)
{
    private const string TimeFormat = "yyyy-MM-ddTHH:mm:ss.fffffffZ";
    private const int TimeLength = 28;

    /// <summary>Appends it, with its line end.</summary>
    public void WriteTo(StringBuilder text) => text
        .Append(At.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture))
        .Append(IsError ? " e " : " o ")
        .Append(Text)
        .Append('\n');

    /// <summary>Reads a line of a log. A damaged one is its text, without a time.</summary>
    public static LoggedLine Parse(string line)
        => line.Length >= TimeLength + 3
            && DateTime.TryParseExact(
                line.AsSpan(0, TimeLength), TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
            ? new LoggedLine(new DateTimeOffset(at, TimeSpan.Zero), line[TimeLength + 1] == 'e', line[(TimeLength + 3)..])
            : new LoggedLine(DateTimeOffset.UnixEpoch, IsError: false, line);
}

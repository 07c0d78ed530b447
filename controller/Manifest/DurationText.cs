using System.Globalization;

namespace Decant.Controller.Manifest;

/// <summary>Durations as the manifest writes them: <c>250ms</c>, <c>10s</c>, <c>5m</c>, <c>1h</c>.</summary>
public static class DurationText
{
    /// <summary>Digits that a duration may have: enough for a year in milliseconds, too few to overflow.</summary>
    private const int MaxDigits = 11;

    /// <summary>Reads a duration of 0 or more; false when it is none.</summary>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = default;
        if (text is null) return false;
        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        if (digits is 0 or > MaxDigits) return false;
        var number = long.Parse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture);
        long? unit = text[digits..] switch
        {
            "ms" => TimeSpan.TicksPerMillisecond,
            "s" => TimeSpan.TicksPerSecond,
            "m" => TimeSpan.TicksPerMinute,
            "h" => TimeSpan.TicksPerHour,
            _ => null,
        };
        if (unit is null || number > TimeSpan.MaxValue.Ticks / unit) return false;
        duration = TimeSpan.FromTicks(number * unit.Value);
        return true;
    }

    /// <summary>Writes a duration in the largest unit that it is a whole number of; below a millisecond it is rounded.</summary>
    public static string Format(TimeSpan duration)
    {
        var (unit, name) = duration.Ticks switch
        {
            0 => (TimeSpan.TicksPerSecond, "s"),
            var t when t % TimeSpan.TicksPerHour == 0 => (TimeSpan.TicksPerHour, "h"),
            var t when t % TimeSpan.TicksPerMinute == 0 => (TimeSpan.TicksPerMinute, "m"),
            var t when t % TimeSpan.TicksPerSecond == 0 => (TimeSpan.TicksPerSecond, "s"),
            _ => (TimeSpan.TicksPerMillisecond, "ms"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{duration.Ticks / unit}{name}");
    }
}

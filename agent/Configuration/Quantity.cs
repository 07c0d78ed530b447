using System.Buffers;
using System.Globalization;

namespace Decant.Agent.Configuration;

/// <summary>Quantities with units as configuration files have them.</summary>
internal static class Quantity
{
    private static readonly SearchValues<char> Number = SearchValues.Create("0123456789.");

    private static readonly (string Unit, double Factor)[] Sizes =
        [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("B", 1), ("", 1)];

    private static readonly (string Unit, double Factor)[] Times =
        [("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute), ("h", TimeSpan.TicksPerHour), ("d", TimeSpan.TicksPerDay)];

    /// <summary>Reads <c>512MiB</c>: bytes.</summary>
    public static long? Bytes(string text) => Read(text, Sizes);

    /// <summary>Reads <c>1.5s</c>.</summary>
    public static TimeSpan? Time(string text) => Read(text, Times) is { } ticks ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>Writes bytes in the largest unit that fits evenly.</summary>
    public static string Shown(long bytes)
    {
        var (unit, factor) = Sizes.Where(s => s.Unit.Length == 3 && bytes >= s.Factor && bytes % (long)s.Factor == 0).LastOrDefault((" bytes", 1));
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / (long)factor}{unit}");
    }

    /// <summary>Writes a time in the largest unit that fits evenly.</summary>
    public static string Shown(TimeSpan time)
    {
        var (unit, factor) = Times.Where(t => time.Ticks >= t.Factor && time.Ticks % (long)t.Factor == 0).LastOrDefault(Times[0]);
        return string.Create(CultureInfo.InvariantCulture, $"{time.Ticks / factor:0.###}{unit}");
    }

    private static long? Read(string text, (string Unit, double Factor)[] units)
    {
        var digits = text.AsSpan().IndexOfAnyExcept(Number);
        if (digits < 0) digits = text.Length;
        var unit = text[digits..].TrimStart();
        if (!double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return null;
        foreach (var (name, factor) in units)
        {
            // Less than 2^62, so that sums of two do not overflow.
            if (unit == name && number * factor < 1L << 62) return (long)Math.Round(number * factor);
        }

        return null;
    }
}

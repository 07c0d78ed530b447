using System.Globalization;

namespace Decant.Agent.Supervision;

/// <summary>
/// The files of an instance's log. A segment is named after the number of its first line, so that a reader who fell behind the deletion of
/// old ones knows how many lines it lost; nothing is ever renamed.
/// </summary>
internal static class LogSegments
{
    private const string Suffix = ".log";

    /// <summary>Segments in order, each with the number of its first line.</summary>
    public static IReadOnlyList<(long FirstLine, string Path)> In(string directory)
        => !Directory.Exists(directory) ? [] : [.. Directory.EnumerateFiles(directory, $"*{Suffix}")
            .Select(path => (Number: Parse(path), Path: path))
            .Where(s => s.Number >= 0)
            .OrderBy(s => s.Number)];

    /// <summary>The path of the segment that begins with this line.</summary>
    public static string PathOf(string directory, long firstLine)
        => Path.Combine(directory, firstLine.ToString("D16", CultureInfo.InvariantCulture) + Suffix);

    /// <summary>The number of the line behind the last one.</summary>
    public static long NextLine(string directory)
        => In(directory) is [.., var last] ? last.FirstLine + CountLines(last.Path) : 0;

    /// <summary>The number of the first line that is still there.</summary>
    public static long OldestLine(string directory) => In(directory) is [var first, ..] ? first.FirstLine : 0;

    private static long Parse(string path)
        => long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;

    private static long CountLines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var buffer = new byte[64 * 1024];
        long lines = 0;
        int read;
        while ((read = file.Read(buffer)) > 0) lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }
}

using System.Text;
using Decant.Agent.Supervision;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>An instance's log, in segments that 0xFF 0xFE parts: whatever a release printed, its last lines are its last lines, and numbers stay right.</summary>
internal sealed class InstanceOutput : FuzzTarget
{
    private static readonly byte[] Cut = [0xFF, 0xFE];

    private Room room = null!;

    public override IEnumerable<byte[]> Seeds =>
    [
        [.. "2026-11-24T13:00:00.1234567Z o started\n2026-11-24T13:00:01.1234567Z e failed\n"u8, .. Cut, .. "2026-11-24T13:00:02.1234567Z o again\n"u8, .. Cut, .. "half"u8],
        [.. "\n\n\n"u8], [.. "é\xC3\n"u8], [.. "2026-13-24T13:00:00.1234567Z o x\n2026-11-24T13:00:00.1234567Z\n"u8], [.. Cut, .. Cut],
    ];

    public override IReadOnlyList<byte[]> Words => [Cut, .. Bytes("\n", "2026-11-24T13:00:00.1234567Z o ", "2026-11-24T13:00:00.1234567Z e x\n", "Z o ", "\r\n", "\0")];

    public override long MayAllocate(int length) => (4 << 20) + (1000L * length);

    public override void Open() => room = new Room();

    public override void Close() => room.Dispose();

    public override string Run(byte[] input)
    {
        Room.Empty(room.Root);
        var (next, segments) = Write(input);
        var lines = segments.SelectMany(s => Encoding.UTF8.GetString(s).Split('\n')).Where(l => l.Length > 0).Select(LoggedLine.Parse).ToList();
        var hasEmpty = segments.Any(s => s.AsSpan().IndexOf("\n\n"u8) >= 0 || s.AsSpan().StartsWith("\n"u8));
        Promise(LogSegments.NextLine(room.Root) == next, "the next line has another number");
        Promise(LogSegments.OldestLine(room.Root) == 0, "the oldest line has another number");
        var log = new InstanceLog(room.Root);
        foreach (var count in new[] { 0, 1, 3, 1000 })
        {
            var last = log.LastLines(count);
            Promise(last.Count <= count, "there are more lines than were asked for");
            Promise(hasEmpty || last.SequenceEqual(lines.TakeLast(count)), "the last lines are others");
        }

        foreach (var line in lines.Take(50))
        {
            var text = new StringBuilder();
            line.WriteTo(text);
            Promise(LoggedLine.Parse(text.ToString().TrimEnd('\n')).Equals(line), "a line is not read as it was written");
        }

        return $"{Math.Min(3, segments.Count)} segments {lines.Any(l => l.At != DateTimeOffset.UnixEpoch)} {lines.Any(l => l.IsError)}";
    }

    private (long Next, List<byte[]> Segments) Write(byte[] input)
    {
        long next = 0;
        var segments = new List<byte[]>();
        for (var rest = input.AsSpan(); ;)
        {
            var end = rest.IndexOf(Cut);
            var segment = (end < 0 ? rest : rest[..end]).ToArray();
            // A segment without a whole line is the last one.
            var lines = segment.AsSpan().Count((byte)'\n');
            File.WriteAllBytes(LogSegments.PathOf(room.Root, next), segment);
            segments.Add(segment);
            next += lines;
            if (end < 0 || lines == 0 || segments.Count == 20) return (next, segments);
            rest = rest[(end + Cut.Length)..];
        }
    }
}

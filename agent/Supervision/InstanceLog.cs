using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;

namespace Decant.Agent.Supervision;

/// <summary>
/// Reads an instance's log. A reader costs the same whatever it reads: it goes through the files at its own pace, and one that is slower
/// than the deletion of old segments is told how many lines it lost.
/// </summary>
internal sealed class InstanceLog(string directory) : IInstanceLog
{
    private const int Block = 64 * 1024;

    /// <inheritdoc/>
    public IReadOnlyList<LoggedLine> LastLines(int count)
    {
        var lines = new List<LoggedLine>();
        foreach (var (_, path) in LogSegments.In(directory).Reverse())
        {
            if (lines.Count >= count) break;
            try
            {
                lines.InsertRange(0, LastLinesOf(path, count - lines.Count).Select(LoggedLine.Parse));
            }
            catch (FileNotFoundException)
            {
                break;
            }
        }

        return lines;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<(LoggedLine Line, long Lost)> FollowAsync(int tail, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        using var watcher = new FileSystemWatcher(directory) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.Size | NotifyFilters.LastWrite };
        watcher.Changed += (_, _) => changes.Writer.TryWrite(true);
        watcher.Created += (_, _) => changes.Writer.TryWrite(true);
        // The kernel's queue overflowed: something has changed.
        watcher.Error += (_, _) => changes.Writer.TryWrite(true);
        watcher.EnableRaisingEvents = true;

        // Lines that were deleted before this reader came are not lines that it lost.
        var next = Math.Max(LogSegments.NextLine(directory) - tail, LogSegments.OldestLine(directory));
        var position = new LogPosition(directory);
        while (true)
        {
            foreach (var (number, line) in position.ReadFrom(next))
            {
                yield return (LoggedLine.Parse(line), Math.Max(number - next, 0));
                next = number + 1;
                cancellation.ThrowIfCancellationRequested();
            }

            await changes.Reader.ReadAsync(cancellation);
        }
    }

    private static IEnumerable<string> LastLinesOf(string path, int count)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new List<byte[]>();
        var newlines = 0;
        // One more line end than lines: the one before the first line wanted.
        for (var end = file.Length; end > 0 && newlines <= count;)
        {
            var size = (int)Math.Min(Block, end);
            var block = new byte[size];
            file.Position = end - size;
            file.ReadExactly(block);
            newlines += block.AsSpan().Count((byte)'\n');
            bytes.Insert(0, block);
            end -= size;
        }

        var text = Encoding.UTF8.GetString([.. bytes.SelectMany(b => b)]);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(count);
    }

    /// <summary>A place in the segments: the open file and how far it was read.</summary>
    private sealed class LogPosition(string directory)
    {
        private long segment = -1;
        private long offset;
        private long line;

        /// <summary>Complete lines from a line number on (or from the oldest that is still there).</summary>
        public IEnumerable<(long Number, string Text)> ReadFrom(long from)
        {
            foreach (var (firstLine, path) in LogSegments.In(directory))
            {
                if (firstLine < segment) continue;
                if (firstLine != segment) (segment, offset, line) = (firstLine, 0, firstLine);
                foreach (var text in ReadRest(path))
                {
                    if (line >= from) yield return (line, text);
                    line++;
                }
            }
        }

        private IEnumerable<string> ReadRest(string path)
        {
            FileStream file;
            try
            {
                file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            }
            catch (FileNotFoundException)
            {
                // Deleted in between: the next segment tells how many lines that were.
                yield break;
            }

            using (file)
            {
                file.Position = offset;
                var buffer = new byte[Block];
                var partial = new List<byte>();
                int read;
                while ((read = file.Read(buffer)) > 0)
                {
                    foreach (var b in buffer.AsSpan(0, read).ToArray())
                    {
                        if (b != (byte)'\n')
                        {
                            partial.Add(b);
                            continue;
                        }

                        offset += partial.Count + 1;
                        yield return Encoding.UTF8.GetString([.. partial]);
                        partial.Clear();
                    }
                }
            }
        }
    }
}

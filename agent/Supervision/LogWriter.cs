using System.Text;

namespace Decant.Agent.Supervision;

/// <summary>
/// Writes an instance's output to segments of bounded size and number. A full disk never blocks the release: lines are then dropped and
/// counted, and the count is written when there is room again.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private readonly string directory;
    private readonly long segmentBytes;
    private readonly int segments;
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private FileStream? file;
    private long nextLine;
    private long dropped;

    /// <summary>Begins a new segment behind those that are there.</summary>
    /// <param name="directory">Of the log.</param>
    /// <param name="segmentBytes">A segment that reaches this is followed by another.</param>
    /// <param name="segments">How many are kept, at least 1.</param>
    /// <param name="time">The clock.</param>
    public LogWriter(string directory, long segmentBytes, int segments, TimeProvider time)
    {
        this.directory = directory;
        this.segmentBytes = segmentBytes;
        this.segments = segments;
        this.time = time;
        nextLine = LogSegments.NextLine(directory);
    }

    /// <summary>Writes lines that came together.</summary>
    public void Write(IReadOnlyList<string> lines, bool isError)
    {
        if (lines.Count == 0) return;
        lock (gate)
        {
            var text = new StringBuilder();
            var count = lines.Count;
            if (dropped > 0)
            {
                new LoggedLine(time.GetUtcNow(), true, $"[decant: {dropped} lines were dropped, the disk was full]").WriteTo(text);
                count++;
            }

            foreach (var line in lines) new LoggedLine(time.GetUtcNow(), isError, line).WriteTo(text);
            try
            {
                Append(Encoding.UTF8.GetBytes(text.ToString()));
                nextLine += count;
                dropped = 0;
            }
            catch (IOException)
            {
                dropped += lines.Count;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => file?.Dispose();

    private void Append(byte[] bytes)
    {
        if (file is null || file.Length >= segmentBytes) Roll();
        var begin = file!.Length;
        try
        {
            file.Write(bytes);
        }
        catch (IOException)
        {
            // Not half a line: readers count lines.
            file.SetLength(begin);
            throw;
        }
    }

    private void Roll()
    {
        file?.Dispose();
        file = null;
        file = new FileStream(LogSegments.PathOf(directory, nextLine), new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        foreach (var (_, path) in LogSegments.In(directory).SkipLast(segments)) File.Delete(path);
    }
}

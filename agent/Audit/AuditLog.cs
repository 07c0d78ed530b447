using System.Text;

namespace Decant.Agent.Audit;

/// <summary>
/// Who changed what on this host: lines of JSON that are only ever added, each on the disk before its call goes on. When a file is full the next one is begun; a
/// bounded number of them is kept.
/// </summary>
internal sealed partial class AuditLog : IDisposable
{
    /// <summary>Bytes of a file.</summary>
    public const long FileBytes = 8 << 20;

    /// <summary>Files that are kept, the current one included.</summary>
    public const int Files = 8;

    private const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock gate = new();
    private readonly string directory;
    private readonly long fileBytes;
    private readonly ILogger<AuditLog> logger;
    private FileStream? file;
    private ulong number;

    /// <summary>Goes on where the last agent stopped.</summary>
    /// <param name="directory">Where the files are; made when the first entry is written.</param>
    /// <param name="logger">Takes what cannot be written.</param>
    /// <param name="fileBytes">Bytes of a file.</param>
    public AuditLog(string directory, ILogger<AuditLog> logger, long fileBytes = FileBytes)
    {
        (this.directory, this.logger, this.fileBytes) = (directory, logger, fileBytes);
        number = LastNumber();
    }

    /// <summary>The number of a call that is to be logged.</summary>
    public ulong Next() => Interlocked.Increment(ref number);

    /// <summary>Adds an entry. When it returns the entry is on the disk, or, where the disk refuses, in the agent's own log.</summary>
    public void Append(AuditEntry entry)
    {
        var line = entry.ToLine();
        lock (gate)
        {
            try
            {
                var open = Open();
                open.Write(Encoding.UTF8.GetBytes(line + "\n"));
                open.Flush(flushToDisk: true);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                LogNotWritten(exception.Message, line);
            }
        }
    }

    /// <summary>What is kept, in its order.</summary>
    public IEnumerable<AuditEntry> Read()
    {
        for (var age = Files - 1; age >= 0; age--)
        {
            if (!File.Exists(Name(age))) continue;
            using var stream = new FileStream(Name(age), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                if (AuditEntry.OfLine(line) is { } entry) yield return entry;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => file?.Dispose();

    private FileStream Open()
    {
        if (file is { } open && open.Length < fileBytes) return open;
        file?.Dispose();
        file = null;
        Directory.CreateDirectory(directory, Own | UnixFileMode.UserExecute);
        if (File.Exists(Name(0)) && new FileInfo(Name(0)).Length >= fileBytes)
        {
            for (var age = Files - 2; age >= 0; age--)
            {
                if (File.Exists(Name(age))) File.Move(Name(age), Name(age + 1), overwrite: true);
            }
        }

        file = new FileStream(Name(0), new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.Read,
            BufferSize = 0,
            UnixCreateMode = Own,
        });
        EndHalfLine(file);
        return file;
    }

    /// <summary>A line that the machine's end cut short stays as it is, on a line of its own.</summary>
    private void EndHalfLine(FileStream appended)
    {
        if (appended.Length == 0) return;
        using var last = new FileStream(Name(0), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        last.Seek(-1, SeekOrigin.End);
        if (last.ReadByte() != '\n') appended.WriteByte((byte)'\n');
    }

    /// <summary>By the end of the newest file that has any: reading all of them would hold the start up.</summary>
    private ulong LastNumber()
    {
        const int End = 64 << 10;
        for (var age = 0; age < Files; age++)
        {
            if (!File.Exists(Name(age))) continue;
            using var stream = new FileStream(Name(age), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            stream.Seek(-Math.Min(End, stream.Length), SeekOrigin.End);
            using var reader = new StreamReader(stream);
            if (reader.ReadToEnd().Split('\n').Select(AuditEntry.OfLine).OfType<AuditEntry>().Select(e => (ulong?)e.Number).Max() is { } last) return last;
        }

        return 0;
    }

    private string Name(int age) => Path.Combine(directory, age == 0 ? "audit.jsonl" : $"audit.{age}.jsonl");

    [LoggerMessage(170, LogLevel.Critical, "The audit log cannot be written ({Reason}); the entry is only here: {Entry}")]
    private partial void LogNotWritten(string reason, string entry);
}

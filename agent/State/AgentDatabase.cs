using LiteDB;
using LiteDB.Engine;

namespace Decant.Agent.State;

/// <summary>
/// The agent's LiteDB file, used by one caller at a time, and through <see cref="BsonDocument"/> only: LiteDB's object mapper is reflection,
/// which native AOT does not have.
/// </summary>
/// <remarks>
/// LiteDB 5 closes its engine for good at the first I/O error, such as a full disk: from then on even reads fail. So the call that meets
/// such an error opens the file again, and everything works when the disk does. A file that is damaged, gone, or a later version's is not
/// used: then there is a <see cref="Fault"/>, and what is written goes to memory, and is read from there.
/// </remarks>
internal sealed class AgentDatabase : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock gate = new();
    private readonly DatabasePaths paths;
    private readonly TimeProvider time;
    private (LiteDatabase Database, DatabaseFile? File, DatabaseLog? Log)? open;
    private volatile StateFault? fault;
    private bool disposed;

    private AgentDatabase(DatabasePaths paths, TimeProvider time)
    {
        this.paths = paths;
        this.time = time;
    }

    /// <summary>Raised once, from another thread, when a fault is found while the agent runs.</summary>
    public event Action<StateFault>? Failed;

    /// <summary>Why the file is not used; null: it is.</summary>
    public StateFault? Fault => fault;

    /// <summary>Opens the file, or makes it (mode 0600, as its log: they hold environments). Reads all of it first.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="time">The clock; null: the system's.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static AgentDatabase Open(string path, TimeProvider? time = null)
    {
        var database = new AgentDatabase(new DatabasePaths(path), time ?? TimeProvider.System);
        Directory.CreateDirectory(database.paths.Directory);
        if (DatabaseInspection.Find(database.paths) is { } found)
        {
            database.LeaveFiles(found);
            return database;
        }

        try
        {
            database.open = database.OpenFiles();
            database.MarkFormat();
        }
        catch (Exception exception) when (IsOfLiteDb(exception))
        {
            // The log is not summed: what a crash left of it may make no sense.
            database.LeaveFiles(new StateFault(StateFaultKind.Damaged, $"{path} cannot be opened: {exception.Message}"));
        }

        return database;
    }

    /// <summary>A collection by name; safe for use by several threads.</summary>
    public StoredCollection Collection(string name) => new(this, name);

    /// <summary>Before anything is changed on this host.</summary>
    /// <exception cref="Errors.OperatorException">STATE_READ_ONLY: there is a fault.</exception>
    public void ThrowIfReadOnly()
    {
        if (fault is { } found) throw new Errors.OperatorException(found.Error);
    }

    /// <summary>Works with the database while nobody else does.</summary>
    /// <param name="work">Done again, once, when the disk failed or the database was found damaged. Returns nothing that reads later.</param>
    /// <exception cref="IOException">The disk is full, or fails.</exception>
    internal T Use<T>(Func<LiteDatabase, T> work)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            for (var again = false; ; again = true)
            {
                try
                {
                    var (database, _, _) = open ??= fault is null ? OpenFiles() : OpenMemory();
                    return work(database);
                }
                catch (IOException)
                {
                    Close();
                    if (again) throw;
                }
                catch (Exception exception) when (fault is null && IsOfLiteDb(exception))
                {
                    Close();
                    if (Suspect(exception) is { } found)
                    {
                        LeaveFiles(found);
                        _ = Task.Run(() => Failed?.Invoke(found));
                    }
                    else if (again)
                    {
                        throw;
                    }
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            Close();
        }
    }

    // A damaged page makes LiteDB fail in any way it likes; its own mistakes, and ours, look the same. The sums tell.
    private StateFault? Suspect(Exception exception) => exception is DatabaseDamagedException
        ? new StateFault(StateFaultKind.Damaged, exception.Message)
        : DatabaseInspection.Find(paths);

    private static bool IsOfLiteDb(Exception exception)
        => exception is not (IOException or UnauthorizedAccessException or OutOfMemoryException or ObjectDisposedException);

    private void LeaveFiles(StateFault found)
    {
        // A later version's stays where that version looks for it.
        fault = found.Kind == StateFaultKind.Newer || found.KeptAs is not null ? found : found with { KeptAs = DatabaseAside.TryMove(paths, found.Kind, time.GetUtcNow()) };
        open = OpenMemory();
    }

    private void Close()
    {
        if (open is not var (database, file, log)) return;
        open = null;
        try
        {
            database.Dispose();
        }
        catch (Exception exception) when (exception is IOException or LiteException or DatabaseDamagedException)
        {
            // It would have moved its log into the file; whoever opens it next does.
        }

        log?.Dispose();
        file?.Dispose();
    }

    private (LiteDatabase Database, DatabaseFile? File, DatabaseLog? Log) OpenFiles()
    {
        MakePrivate(paths.Database);
        MakePrivate(paths.Log);
        var file = new DatabaseFile(paths);
        DatabaseLog? log = null;
        try
        {
            log = new DatabaseLog(paths, file.LogEmptied);
            return (OpenEngine(file, log), file, log);
        }
        catch
        {
            log?.Dispose();
            file.Dispose();
            throw;
        }
    }

    private static (LiteDatabase Database, DatabaseFile? File, DatabaseLog? Log) OpenMemory()
        => (OpenEngine(new MemoryStream(), new MemoryStream()), null, null);

    // By default LiteDB takes "D1" and "d1" for the same key.
    private static LiteDatabase OpenEngine(Stream file, Stream log)
        => new(new LiteEngine(new EngineSettings { DataStream = file, LogStream = log, Collation = Collation.Binary }));

    private void MarkFormat()
    {
        var (database, _, _) = open!.Value;
        if (database.UserVersion == DatabaseInspection.Format) return;
        database.UserVersion = DatabaseInspection.Format;
        database.Checkpoint();
    }

    private static void MakePrivate(string file)
    {
        if (File.Exists(file)) return;
        using var created = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = OwnerOnly,
        });
    }
}

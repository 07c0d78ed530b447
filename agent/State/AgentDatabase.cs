using LiteDB;
using LiteDB.Engine;

namespace Decant.Agent.State;

/// <summary>
/// The agent's LiteDB file, used by one caller at a time, and through <see cref="BsonDocument"/> only: LiteDB's object mapper is reflection,
/// which native AOT does not have.
/// </summary>
/// <remarks>
/// LiteDB 5 closes its engine for good at the first I/O error, such as a full disk: from then on even reads fail. So the call that meets
/// such an error opens the file again, and everything works when the disk does.
/// </remarks>
internal sealed class AgentDatabase : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lock gate = new();
    private readonly string path;
    private (LiteDatabase Database, DatabaseLog Log)? open;
    private bool disposed;

    private AgentDatabase(string path)
    {
        this.path = path;
        open = OpenFiles();
    }

    /// <summary>Opens the file, or makes it (mode 0600, as its log: they hold environments).</summary>
    /// <param name="path">Absolute path.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="LiteException">It is no database.</exception>
    public static AgentDatabase Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return new AgentDatabase(path);
    }

    /// <summary>A collection by name; safe for use by several threads.</summary>
    public StoredCollection Collection(string name) => new(this, name);

    /// <summary>Works with the database while nobody else does.</summary>
    /// <param name="work">Done again, once, when the disk failed. Returns nothing that reads later.</param>
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
                    var (database, _) = open ??= OpenFiles();
                    return work(database);
                }
                catch (IOException)
                {
                    Close();
                    if (again) throw;
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

    private void Close()
    {
        if (open is not var (database, log)) return;
        open = null;
        try
        {
            database.Dispose();
        }
        catch (Exception exception) when (exception is IOException or LiteException)
        {
            // It would have moved its log into the file; whoever opens it next does.
        }

        log.Dispose();
    }

    private (LiteDatabase Database, DatabaseLog Log) OpenFiles()
    {
        // What LiteDB calls the log of a file: it is written first, and holds the same.
        var logPath = Path.Combine(Path.GetDirectoryName(path)!, $"{Path.GetFileNameWithoutExtension(path)}-log{Path.GetExtension(path)}");
        MakePrivate(path);
        MakePrivate(logPath);
        var opened = new DatabaseLog(logPath);
        try
        {
            // By default LiteDB takes "D1" and "d1" for the same key.
            var engine = new LiteEngine(new EngineSettings { Filename = path, LogStream = opened, Collation = Collation.Binary });
            return (new LiteDatabase(engine), opened);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
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

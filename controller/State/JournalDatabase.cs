using LiteDB;

namespace Decant.Controller.State;

/// <summary>
/// The controller's LiteDB file, shared by every <c>decant</c> on the machine: opened for each use, behind a file lock, so that
/// <c>decant status</c> answers while a deployment runs. (LiteDB's own shared mode rests on a named mutex: see
/// <see cref="FileLock"/>.) Closing it each time also makes what was written stay written: an open LiteDB writes its log from a
/// background queue, after the call has returned. Used through <see cref="BsonDocument"/> only, because LiteDB's mapper is reflection.
/// </summary>
internal sealed class JournalDatabase : IDisposable
{
    private readonly Lock gate = new();
    private readonly string? path;
    private readonly LiteDatabase? inMemory;
    private readonly Action? beforeUse;

    private JournalDatabase(string? path, LiteDatabase? inMemory, Action? beforeUse = null)
    {
        this.path = path;
        this.inMemory = inMemory;
        this.beforeUse = beforeUse;
    }

    /// <summary>A journal in a file, which is made when first used.</summary>
    public static JournalDatabase At(StateDirectory directory) => new(directory.Journal, null);

    /// <summary>A journal that is gone with the process: simulations.</summary>
    /// <param name="beforeUse">Called before each use; what it throws keeps that use from happening.</param>
    public static JournalDatabase InMemory(Action? beforeUse = null) => new(null, new LiteDatabase(new MemoryStream()), beforeUse);

    /// <summary>Does something with the database while nobody else does.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="LiteException">The file is not a journal.</exception>
    public T Use<T>(Func<LiteDatabase, T> use)
    {
        lock (gate)
        {
            beforeUse?.Invoke();
            if (inMemory is not null) return use(inMemory);
            using var turn = FileLock.Take($"{path}.lock");
            MakePrivate();
            using var database = new LiteDatabase(new ConnectionString { Filename = path, Connection = ConnectionType.Direct });
            return use(database);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => inMemory?.Dispose();

    private void MakePrivate()
    {
        if (File.Exists(path)) return;
        using var made = new FileStream(path!, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
    }
}

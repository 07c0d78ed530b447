using LiteDB;

namespace Decant.Agent.State;

/// <summary>
/// The agent's LiteDB file. Used through <see cref="BsonDocument"/> only: LiteDB's object mapper is reflection, which native AOT
/// does not have.
/// </summary>
internal sealed class AgentDatabase : IDisposable
{
    private readonly LiteDatabase database;

    private AgentDatabase(LiteDatabase database) => this.database = database;

    /// <summary>Opens the file, or makes it (mode 0600: it holds environments).</summary>
    /// <param name="path">Absolute path.</param>
    public static AgentDatabase Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (!File.Exists(path))
        {
            using var created = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }

        return new AgentDatabase(new LiteDatabase(new ConnectionString { Filename = path, Connection = ConnectionType.Direct }));
    }

    /// <summary>A collection by name; safe for use by several threads.</summary>
    public ILiteCollection<BsonDocument> Collection(string name) => database.GetCollection(name);

    /// <inheritdoc/>
    public void Dispose() => database.Dispose();
}

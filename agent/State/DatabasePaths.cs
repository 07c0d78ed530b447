namespace Decant.Agent.State;

/// <summary>The files of a database, each beside the other.</summary>
/// <param name="Database">What it is known by: <c>agent.db</c>.</param>
internal sealed record DatabasePaths(string Database)
{
    /// <summary>What LiteDB calls the log of a file: it is written first, and holds the same.</summary>
    public string Log => Beside($"{Path.GetFileNameWithoutExtension(Database)}-log{Path.GetExtension(Database)}");

    /// <summary>A checksum for each page of the database.</summary>
    public string Sums => Beside($"{Path.GetFileNameWithoutExtension(Database)}.sums");

    /// <summary>A checksum for each page of the log.</summary>
    public string LogSums => Beside($"{Path.GetFileNameWithoutExtension(Database)}-log.sums");

    /// <summary>All of them, the database last: with its rename the others are in place.</summary>
    public IReadOnlyList<string> All => [LogSums, Log, Sums, Database];

    /// <summary>The directory that they are in.</summary>
    public string Directory => Path.GetDirectoryName(Database)!;

    private string Beside(string name) => Path.Combine(Directory, name);
}

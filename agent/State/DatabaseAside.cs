namespace Decant.Agent.State;

/// <summary>Puts the files of a database that cannot be used out of the way, so that they can be looked at. Needs no room on the disk.</summary>
internal static class DatabaseAside
{
    /// <summary>Renames them.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="kind">What is wrong; part of the name.</param>
    /// <param name="now">Part of the name.</param>
    /// <returns>Where the database is now; null when it is not there, or cannot be moved and is where it was.</returns>
    public static string? TryMove(DatabasePaths paths, StateFaultKind kind, DateTimeOffset now)
    {
        try
        {
            foreach (var path in paths.All.Where(File.Exists)) File.Move(path, StateFault.Aside(path, kind, now), overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A read-only file system: found again on the next start.
        }

        var kept = StateFault.Aside(paths.Database, kind, now);
        return File.Exists(kept) ? kept : null;
    }
}

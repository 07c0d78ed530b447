using System.Buffers.Binary;

namespace Decant.Agent.State;

/// <summary>Looks at the files of a database before LiteDB does, and writes nothing but the sums of one that has none yet.</summary>
internal static class DatabaseInspection
{
    /// <summary>What this version writes: 1 has sums of its pages. Whoever changes what documents mean raises it.</summary>
    public const int Format = 1;

    // LiteDB's header page: its name and the version of its layout, and a number that is the application's.
    private const int NameAt = 32;
    private const int LayoutAt = 59;
    private const int FormatAt = 76;
    private const int Layout = 8;

    /// <summary>What is wrong with the database; null when nothing is, or there never was one.</summary>
    /// <param name="paths">Its files.</param>
    public static StateFault? Find(DatabasePaths paths)
    {
        try
        {
            if (Lost(paths) is { } lost) return lost;
            if (!File.Exists(paths.Database) || new FileInfo(paths.Database).Length == 0) return null;
            if (Newer(paths) is { } newer) return newer;
            CheckHeader(paths);
            using var file = new DatabaseFile(paths);
            file.CheckAll();
            return null;
        }
        catch (DatabaseDamagedException exception)
        {
            return new StateFault(StateFaultKind.Damaged, exception.Message);
        }
        catch (IOException exception) when (!exception.IsDiskFull())
        {
            return new StateFault(StateFaultKind.Damaged, $"{paths.Database} cannot be read: {exception.Message}");
        }
    }

    private static StateFault? Lost(DatabasePaths paths)
    {
        var file = new FileInfo(paths.Database);
        if (file is { Exists: true, Length: > 0 }) return null;
        var name = Path.GetFileName(paths.Database);
        var kept = Directory.Exists(paths.Directory) ? Directory.EnumerateFiles(paths.Directory, $"{name}.*-*Z").Order(StringComparer.Ordinal).LastOrDefault() : null;
        if (kept is not null) return new StateFault(StateFaultKind.Lost, $"{paths.Database} was kept aside before, and what was rebuilt is not accepted yet", kept);
        var sums = new FileInfo(paths.Sums);
        var what = file.Exists ? "is empty" : "is gone";
        if (sums is { Exists: true, Length: > 0 }) return new StateFault(StateFaultKind.Lost, $"{paths.Database} {what}, but its sums are here");
        var apps = Path.Combine(paths.Directory, "apps");
        var instance = Directory.Exists(apps) ? Directory.EnumerateFiles(apps, "instance.json", SearchOption.AllDirectories).FirstOrDefault() : null;
        return instance is null ? null : new StateFault(StateFaultKind.Lost, $"{paths.Database} {what}, but instances were started here ({instance})");
    }

    private static StateFault? Newer(DatabasePaths paths)
    {
        var header = Header(paths);
        if (header.Length < PageSums.PageSize || !IsLiteDb(header)) return null;
        var hasSums = File.Exists(paths.Sums) && new FileInfo(paths.Sums).Length > 0;
        // Damage can look like a later version. When there are sums, they decide.
        if (hasSums && PageSums.IsOfThisVersion(paths.Sums) && !HeaderMatches(paths, header)) return null;
        var (layout, format) = (header[LayoutAt], BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(FormatAt)));
        return layout > Layout ? new StateFault(StateFaultKind.Newer, $"{paths.Database} has version {layout} of LiteDB's layout; this agent knows {Layout}")
            : format > Format ? new StateFault(StateFaultKind.Newer, $"{paths.Database} has format {format}; this agent knows up to {Format}")
            : null;
    }

    private static void CheckHeader(DatabasePaths paths)
    {
        var header = Header(paths);
        // The log has it again when a crash cut it off.
        if (DatabaseFile.PagesOf(paths).Contains(0)) return;
        if (header.Length < PageSums.PageSize) throw new DatabaseDamagedException($"{paths.Database} has {header.Length} bytes, which is less than a page");
        if (!IsLiteDb(header) || header[LayoutAt] != Layout) throw new DatabaseDamagedException($"{paths.Database} is no database of LiteDB");
        var hasSums = File.Exists(paths.Sums) && new FileInfo(paths.Sums).Length > 0;
        if (!hasSums && BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(FormatAt)) > 0)
            throw new DatabaseDamagedException($"{paths.Sums}, which has the sums of {paths.Database}, is gone");
    }

    private static bool HeaderMatches(DatabasePaths paths, byte[] header)
    {
        using var sums = new PageSums(paths.Sums);
        return sums.Matches(0, header);
    }

    private static bool IsLiteDb(byte[] header) => header.AsSpan(NameAt).StartsWith("** This is a LiteDB file **"u8);

    private static byte[] Header(DatabasePaths paths)
    {
        using var file = File.OpenRead(paths.Database);
        var header = new byte[PageSums.PageSize];
        return header[..file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false)];
    }
}

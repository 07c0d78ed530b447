using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Releases;

/// <summary>Looks whether an unpacked tree is the release that was announced, and whether this host can run it.</summary>
internal static class ReleaseInspection
{
    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>What the tree says of itself.</summary>
    /// <param name="ErtsVersion">From <c>releases/start_erl.data</c>.</param>
    /// <param name="IncludesErts">False: it uses the Erlang installed on the host.</param>
    public readonly record struct Found(string ErtsVersion, bool IncludesErts);

    /// <summary>Inspects a tree.</summary>
    /// <param name="root">Its directory, which holds no link that leaves it.</param>
    /// <param name="app">The app as announced.</param>
    /// <param name="version">The version as announced.</param>
    /// <param name="host">What this host runs.</param>
    /// <exception cref="OperatorException">NOT_A_RELEASE, APP_MISMATCH, VERSION_MISMATCH or WRONG_ARCHITECTURE.</exception>
    public static Found Inspect(string root, AppName app, ReleaseVersion version, ElfHeader host)
    {
        var (erts, actual) = ReadStartData(root);
        FindScript(root, app);
        if (actual != version.Value) throw ReleaseErrors.WrongVersion(version, actual);
        if (!Directory.Exists(Path.Combine(root, "releases", actual)))
            throw ReleaseErrors.NotARelease($"releases/start_erl.data names version {actual}, but there is no directory releases/{actual}");
        return new Found(erts, IncludesErts(root, erts, host));
    }

    private static (string Erts, string Version) ReadStartData(string root)
    {
        const string name = "releases/start_erl.data";
        var file = new FileInfo(Path.Combine(root, name));
        if (!file.Exists)
        {
            throw ReleaseErrors.NotARelease(Directory.GetFileSystemEntries(root) is [var only]
                ? $"{name} is missing; everything in the archive is below {ReleaseErrors.Shown(Path.GetFileName(only))}/"
                : $"{name} is missing");
        }

        if (file.Length > 1024) throw ReleaseErrors.NotARelease($"{name} has {file.Length} bytes");
        // "<ERTS version> <release version>", which the boot script splits at the space (release_handler(3), start_erl.data).
        var words = File.ReadAllText(file.FullName).Split((char[])[' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
        // Both become parts of paths.
        return words is [var erts, var version] && ReleaseVersion.TryParse(erts, out _, out _) && ReleaseVersion.TryParse(version, out _, out _)
            ? (erts, version)
            : throw ReleaseErrors.NotARelease($"{name} is not \"<ERTS version> <release version>\"");
    }

    private static void FindScript(string root, AppName app)
    {
        var bin = new DirectoryInfo(Path.Combine(root, "bin"));
        if (!bin.Exists) throw ReleaseErrors.NotARelease("there is no directory bin/");
        var scripts = bin.GetFiles().Where(f => (f.UnixFileMode & AnyExecute) != 0).Select(f => f.Name).Order(StringComparer.Ordinal).ToList();
        if (scripts.Contains(app.Value)) return;
        if (File.Exists(Path.Combine(bin.FullName, app.Value))) throw ReleaseErrors.NotARelease($"bin/{app} is not executable");
        throw scripts.Count > 0 ? ReleaseErrors.WrongApp(app, scripts) : ReleaseErrors.NotARelease("there is no executable script in bin/");
    }

    private static bool IncludesErts(string root, string erts, ElfHeader host)
    {
        if (!Directory.Exists(Path.Combine(root, $"erts-{erts}")))
        {
            return Directory.EnumerateDirectories(root, "erts-*").FirstOrDefault() is { } other
                ? throw ReleaseErrors.NotARelease(
                    $"releases/start_erl.data names ERTS {erts}, but the archive has {ReleaseErrors.Shown(Path.GetFileName(other))}")
                : false;
        }

        var vm = $"erts-{erts}/bin/beam.smp";
        if (!File.Exists(Path.Combine(root, vm))) throw ReleaseErrors.NotARelease($"{vm} is missing");
        var (header, instead) = ElfHeader.Read(Path.Combine(root, vm));
        if (header is null) throw ReleaseErrors.WrongArchitecture($"{vm} is {instead}; this host is {host.Architecture} Linux");
        return header == host
            ? true
            : throw ReleaseErrors.WrongArchitecture($"{vm} is built for {header.Architecture}, this host is {host.Architecture}");
    }
}

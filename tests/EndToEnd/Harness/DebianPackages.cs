namespace Decant.EndToEnd.Harness;

/// <summary>The Debian packages of the programs under test, as packaging/deb.sh makes them.</summary>
internal sealed record DebianPackages(string Agent, string Controller)
{
    /// <summary>The version of this checkout.</summary>
    public static string Version { get; } = System.Text.RegularExpressions.Regex.Match(
        File.ReadAllText(Path.Combine(Programs.Repository, "Directory.Build.props")), "<VersionPrefix>(.*)</VersionPrefix>").Groups[1].Value;

    private static readonly Lazy<Task<DebianPackages>> Made = new(() => MakeAsync(new Dictionary<string, string>(), CancellationToken.None));

    /// <summary>One set for all tests that only read it.</summary>
    public static Task<DebianPackages> SharedAsync() => Made.Value;

    /// <summary>Takes that set away, if there is one.</summary>
    public static void RemoveShared()
    {
        if (Made is { IsValueCreated: true, Value: { IsCompletedSuccessfully: true, Result: var packages } }) Directory.Delete(Path.GetDirectoryName(packages.Agent)!, recursive: true);
    }

    /// <summary>Makes them, in a directory of their own.</summary>
    public static async Task<DebianPackages> MakeAsync(IReadOnlyDictionary<string, string> environment, CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("decant-deb-").FullName;
        var made = await CommandResult.RunAsync(
            "/bin/bash", [Path.Combine(Programs.Repository, "packaging", "deb.sh"), Path.GetDirectoryName(Programs.Decantd)!, directory], cancellation, environment);
        if (made.ExitCode != 0) throw new TestException(made.Everything);
        return new DebianPackages(
            Directory.EnumerateFiles(directory, "decant-agent_*.deb").Single(), Directory.EnumerateFiles(directory, "decant_*.deb").Single());
    }

    /// <summary>The agent's package again, as another version: its control file alone differs.</summary>
    public async Task<string> AgentOfVersionAsync(string version, CancellationToken cancellation)
    {
        var changed = Path.Combine(Path.GetDirectoryName(Agent)!, $"decant-agent_{version}.deb");
        var script = $"""
            set -e
            work=$(mktemp -d)
            trap 'rm -rf "$work"' EXIT
            dpkg-deb -R {Agent} "$work/tree"
            sed -i 's/^Version: .*/Version: {version}/' "$work/tree/DEBIAN/control"
            dpkg-deb --root-owner-group -Znone -b "$work/tree" {changed}
            """;
        var result = await CommandResult.RunAsync("/bin/bash", ["-c", script], cancellation);
        return result.ExitCode == 0 ? changed : throw new TestException(result.Everything);
    }
}

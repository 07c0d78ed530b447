namespace Decant.EndToEnd.Harness;

/// <summary>Releases of the demo app, built by <c>mix release</c>.</summary>
internal static class DemoRelease
{
    /// <summary>Builds a version (or takes it from the cache) and returns the path of its archive.</summary>
    /// <param name="version">Its version.</param>
    /// <param name="directory">Where the archive goes.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="options">More options of tests/demo/build.sh.</param>
    public static async Task<string> BuildAsync(string version, string directory, CancellationToken cancellation, params string[] options)
    {
        var script = Path.Combine(Programs.Repository, "tests", "demo", "build.sh");
        var result = await CommandResult.RunAsync("bash", [script, "--version", version, "--out", directory, .. options], cancellation);
        var archive = Path.Combine(directory, $"demo-{version}.tar.gz");
        return result.ExitCode == 0 && File.Exists(archive)
            ? archive
            : throw new InvalidOperationException($"the demo release {version} could not be built: {result.Everything}");
    }
}

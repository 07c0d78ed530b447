using Decant.Agent.Operations;
using Decant.Agent.Releases;

namespace Decant.Agent.Elixir;

/// <summary>
/// Whether the dynamic linker finds what the VM and its native libraries (crypto, NIFs) need. Asked from ldd(1) of the host's own libc, because
/// only the linker knows its search path, hwcaps and symbol versions ("version `GLIBC_2.38' not found" is what a release from a newer build
/// machine says).
/// </summary>
internal sealed class SharedLibraries(TimeProvider time)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Looks at the VM and at every shared object of the release.</summary>
    public async Task<PreflightFinding> CheckAsync(StagedRelease release, CancellationToken cancellation)
    {
        var files = Directory.EnumerateFiles(release.Root, "*.so", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(release.Root, "beam.smp", SearchOption.AllDirectories))
            .Order(StringComparer.Ordinal)
            .ToList();
        if (files.Count == 0) return new PreflightFinding("shared-libraries", true, "the release has no native code of its own");

        var missing = new HashSet<string>();
        var ldd = new CommandOrder(
            "/usr/bin/ldd", files, new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin", ["LANG"] = "C.UTF-8" }, release.Root, Limit)
        {
            LowPriority = true,
            Line = line =>
            {
                if (IsMissing(line.Text)) missing.Add(line.Text.Trim());
            },
        };
        var end = await ReleaseCommand.RunAsync(ldd, time, cancellation);
        if (end.TimedOut) return new PreflightFinding("shared-libraries", false, $"ldd did not end within {Limit.TotalSeconds:0} s");
        return missing.Count == 0
            ? new PreflightFinding("shared-libraries", true, $"all that {files.Count} native files need is there")
            : new PreflightFinding(
                "shared-libraries", false, $"{string.Join("; ", missing)}; install them, or build the release on the same distribution as the host");
    }

    /// <summary>A line of ldd(1) such as <c>libcrypto.so.3 => not found</c> or <c>version `GLIBC_2.38' not found (required by …)</c>.</summary>
    internal static bool IsMissing(string line) => line.Contains("not found", StringComparison.Ordinal);
}

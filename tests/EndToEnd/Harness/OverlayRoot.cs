namespace Decant.EndToEnd.Harness;

/// <summary>
/// This machine's system as a copy that a test may change: an overlay over its root, entered with chroot, in namespaces of its own. Real dpkg,
/// apt, users and directories; no systemd runs in it. Needs root. What a command starts ends with it.
/// </summary>
internal sealed class OverlayRoot : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("decant-root-").FullName;

    /// <summary>As the machine is.</summary>
    public OverlayRoot()
    {
        foreach (var part in (string[])["upper", "work", "root"]) Directory.CreateDirectory(Path.Combine(directory, part));
    }

    /// <summary>Another that begins as this one is now.</summary>
    public async Task<OverlayRoot> CopyAsync(CancellationToken cancellation)
    {
        var copy = new OverlayRoot();
        var copied = await CommandResult.RunAsync("/bin/cp", ["-a", $"{directory}/upper/.", $"{copy.directory}/upper"], cancellation);
        return copied.ExitCode == 0 ? copy : throw new TestException(copied.Everything);
    }

    /// <summary>Runs a script in it to its end.</summary>
    public Task<CommandResult> RunAsync(string script, CancellationToken cancellation)
    {
        var enter = $"""
            set -e
            cd {directory}
            mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
            mount -t proc proc root/proc
            mount --rbind /dev root/dev
            mount -t tmpfs tmpfs root/run
            exec chroot root /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive /bin/bash -c "$1"
            """;
        return CommandResult.RunAsync(
            "/usr/bin/unshare", ["--mount", "--pid", "--fork", "--kill-child", "/bin/bash", "-c", enter, "enter", script], cancellation);
    }

    /// <summary>The same; throws when it fails.</summary>
    public async Task<string> DoAsync(string script, CancellationToken cancellation)
    {
        var result = await RunAsync(script, cancellation);
        return result.ExitCode == 0 ? result.Output : throw new TestException($"{script}\n{result.Everything}");
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(directory, recursive: true);
}

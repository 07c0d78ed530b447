namespace Decant.EndToEnd.Harness;

/// <summary>A small file system of a test's own, which it can fill. Mounting it needs root.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly string path;

    private SmallDisk(string path) => this.path = path;

    private string Filler => Path.Combine(path, "fill");

    /// <summary>Mounts a tmpfs.</summary>
    /// <param name="path">Where; what is there already is hidden until it is unmounted.</param>
    /// <param name="size">As mount(8) takes it: <c>96m</c>.</param>
    public static async Task<SmallDisk> MountAsync(string path, string size)
    {
        Directory.CreateDirectory(path);
        var mounted = await CommandResult.RunAsync("/bin/mount", ["-t", "tmpfs", "-o", $"size={size},mode=750", "tmpfs", path], CancellationToken.None);
        return mounted.ExitCode == 0
            ? new SmallDisk(path)
            : throw new TestException($"this test mounts a small tmpfs, for which it must run as root: {mounted.Everything}");
    }

    /// <summary>Leaves no byte free.</summary>
    /// <param name="but">Or so many, in whole pages of 4 KiB.</param>
    public void Fill(int but = 0)
    {
        using var file = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        foreach (var size in (int[])[1 << 20, 4096])
        {
            var block = new byte[size];
            try
            {
                while (true) file.Write(block);
            }
            catch (IOException)
            {
                // No block of this size fits any more.
            }
        }

        file.SetLength(file.Length - but);
    }

    /// <summary>Takes that back.</summary>
    public void Free() => File.Delete(Filler);

    public async ValueTask DisposeAsync()
    {
        var unmounted = await CommandResult.RunAsync("/bin/umount", [path], CancellationToken.None);
        if (unmounted.ExitCode != 0) throw new TestException(unmounted.Everything);
    }
}

using System.Diagnostics;

namespace Decant.EndToEnd.Harness;

/// <summary>Ends what survives an agent on purpose: its keepers and the releases, known by the test's own directory in their environment or arguments.</summary>
internal static class LeftProcesses
{
    /// <summary>Kills every process whose environment, arguments or working directory name the directory, and waits until it is gone.</summary>
    public static async Task KillAsync(string directory)
    {
        for (var round = 0; round < 5; round++)
        {
            var found = Find(directory).ToList();
            if (found.Count == 0) return;
            foreach (var pid in found)
            {
                try
                {
                    using var process = Process.GetProcessById(pid);
                    process.Kill();
                    await process.WaitForExitAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10), CancellationToken.None);
                }
                catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
                {
                    // It ended by itself in between.
                    continue;
                }
            }
        }
    }

    /// <summary>Processes that belong to the directory.</summary>
    public static IEnumerable<int> Find(string directory)
    {
        foreach (var entry in System.IO.Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), out var pid) || pid == Environment.ProcessId) continue;
            if (Mentions(Path.Combine(entry, "environ"), directory) || Mentions(Path.Combine(entry, "cmdline"), directory)) yield return pid;
        }
    }

    private static bool Mentions(string file, string directory)
    {
        try
        {
            return File.ReadAllText(file).Contains(directory, StringComparison.Ordinal);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

using System.Globalization;

namespace Decant.EndToEnd.Harness;

/// <summary>What a fleet's agents take at one moment.</summary>
/// <param name="Memory">Resident memory of all agents, in bytes.</param>
/// <param name="Descriptors">Open file descriptors of all agents.</param>
/// <param name="Processes">Processes of the fleet: agents, keepers, releases, epmd, the balancer.</param>
/// <param name="Releases">Releases on its hosts.</param>
/// <param name="OtherFiles">Files of its hosts outside of their releases.</param>
/// <param name="Disk">Bytes of its hosts' files.</param>
/// <param name="Journal">Bytes of the controller's files.</param>
internal sealed record Footprint(long Memory, int Descriptors, int Processes, int Releases, int OtherFiles, long Disk, long Journal)
{
    /// <summary>Looks.</summary>
    public static Footprint Of(TestFleet fleet)
    {
        var hosts = fleet.Hosts.Append(fleet.BalancerHost).ToList();
        var files = hosts.SelectMany(h => FilesIn(h.Data).Select(f => (IsOfRelease: f.StartsWith($"{h.Data}/releases/", StringComparison.Ordinal), Path: f))).ToList();
        return new Footprint(
            hosts.Sum(h => ResidentMemory.Of(h.Agent.Pid)),
            hosts.Sum(h => Directory.GetFileSystemEntries($"/proc/{h.Agent.Pid}/fd").Length),
            LeftProcesses.Find(fleet.Directory).Count(),
            hosts.Select(h => $"{h.Data}/releases/demo").Where(Directory.Exists).Sum(d => Directory.GetDirectories(d).Length),
            files.Count(f => !f.IsOfRelease),
            files.Sum(f => SizeOf(f.Path)),
            FilesIn(Path.Combine(fleet.Directory, "controller")).Sum(SizeOf));
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Memory / 1048576.0,7:0.0} MiB resident  {Descriptors,4} descriptors  {Processes,3} processes  {Releases,2} releases  {OtherFiles,4} other files  {Disk / 1048576.0,7:0.0} MiB on disk  {Journal / 1024.0,7:0} KiB controller's journal");

    private static IEnumerable<string> FilesIn(string directory) => Directory.Exists(directory)
        ? Directory.EnumerateFiles(directory, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
        : [];

    private static long SizeOf(string file)
    {
        try
        {
            return new FileInfo(file).Length;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }
}

using System.Globalization;
using Decant.Agent.Elixir;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Instances;

/// <summary>
/// What the slots of this host are, without the agent's database: from the keepers' files and from the environments of the processes that run.
/// </summary>
internal static class RebuiltInstances
{
    /// <summary>Every slot that something was started in.</summary>
    /// <param name="dataDirectory">Of the agent.</param>
    public static IReadOnlyList<InstanceRecord> Find(string dataDirectory)
    {
        var apps = Path.Combine(dataDirectory, "apps");
        if (!Directory.Exists(apps)) return [];
        return [.. from app in Directory.EnumerateDirectories(apps).Order(StringComparer.Ordinal)
                   from slot in Directory.EnumerateDirectories(app).Order(StringComparer.Ordinal)
                   let record = Read(Path.GetFileName(app), Path.GetFileName(slot), slot)
                   where record is not null
                   select record];
    }

    private static InstanceRecord? Read(string app, string slot, string directory)
    {
        if (!AppName.TryParse(app, out var appName, out _) || !SlotName.TryParse(slot, out var slotName, out _)) return null;
        if (KeeperFiles.ReadInstance(directory) is not { } kept) return null;
        try
        {
            var alive = new ProcessIdentity(kept.Pid, kept.StartTicks, kept.BootId).IsAlive;
            var environment = alive ? EnvironmentOf(kept.Pid) : new Dictionary<string, string>();
            return SpecOf(kept, environment) is not { } spec ? null : new InstanceRecord(
                new InstanceKey(appName, slotName),
                // One that is gone was stopped, or died: nobody knows, so it is not started.
                Wanted: alive,
                new ReleaseId(ReleaseVersion.Parse(kept.Version), Sha256Digest.Parse(kept.Digest)),
                spec,
                Health: null,
                DeploymentId.TryParse(environment.GetValueOrDefault("DECANT_DEPLOYMENT"), out var deployment, out _) ? deployment : null,
                Restarts: 0,
                LastExit: null);
        }
        catch (FormatException)
        {
            // Not of a keeper's.
            return null;
        }
    }

    /// <summary>As the keeper wrote it down, with the values that the process has; from the process alone where an older keeper did not.</summary>
    private static SlotSpec? SpecOf(KeptInstance kept, Dictionary<string, string> environment)
    {
        if (kept.Slot is { } slot)
        {
            return new SlotSpec(
                slot.Port,
                NodeName.Parse(slot.Node),
                slot.Distribution,
                slot.Variables.Where(environment.ContainsKey).ToDictionary(name => name, name => environment[name]));
        }

        return int.TryParse(environment.GetValueOrDefault("PORT"), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && NodeName.TryParse(environment.GetValueOrDefault("RELEASE_NODE"), out var node, out _)
                ? new SlotSpec(port, node, environment.GetValueOrDefault("RELEASE_DISTRIBUTION") != "none", new Dictionary<string, string>())
                : null;
    }

    /// <summary>/proc/pid/environ (proc(5)): as the process was started.</summary>
    private static Dictionary<string, string> EnvironmentOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/environ").Split('\0')
                .Select(variable => variable.Split('=', 2))
                .Where(parts => parts.Length == 2)
                .DistinctBy(parts => parts[0])
                .ToDictionary(parts => parts[0], parts => parts[1]);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It ended in between, or it is another user's.
            return [];
        }
    }
}

using Decant.Agent.Configuration;
using Decant.Agent.Instances;
using Decant.Agent.State;

namespace Decant.Agent.Hosting;

/// <summary>
/// <c>decantd --accept-rebuilt-state</c>: the operator has looked, and takes what can be rebuilt for the agent's state. Runs while no agent
/// does; releases are not touched.
/// </summary>
internal static class RebuiltState
{
    /// <summary>Puts the unusable database aside and a rebuilt one in its place.</summary>
    /// <param name="configuration">Of the agent.</param>
    /// <param name="time">The clock.</param>
    /// <param name="output">Told what is known and what is not.</param>
    /// <returns>Exit code.</returns>
    public static int Accept(AgentConfiguration configuration, TimeProvider time, TextWriter output)
    {
        var paths = new DatabasePaths(Path.Combine(configuration.DataDirectory, "agent.db"));
        if (!Directory.Exists(paths.Directory) || DatabaseInspection.Find(paths) is not { } fault)
        {
            output.WriteLine($"{paths.Database} is as it should be; nothing to accept");
            return 0;
        }

        // Made beside it and then renamed, the database last: until then the fault is found again.
        var draft = new DatabasePaths(Path.Combine(configuration.DataDirectory, ".accepted", "agent.db"));
        if (Directory.Exists(draft.Directory)) Directory.Delete(draft.Directory, recursive: true);
        var rebuilt = RebuiltInstances.Find(configuration.DataDirectory);
        using (var database = AgentDatabase.Open(draft.Database, time))
        {
            var store = new InstanceStore(database);
            foreach (var record in rebuilt) store.Save(record);
        }

        var kept = fault.KeptAs ?? DatabaseAside.TryMove(paths, fault.Kind, time.GetUtcNow());
        foreach (var (from, to) in draft.All.Zip(paths.All).Where(pair => File.Exists(pair.First))) File.Move(from, to, overwrite: true);
        Directory.Delete(draft.Directory, recursive: true);

        output.WriteLine(fault.Reason);
        if (kept is not null) output.WriteLine($"kept as {kept}");
        output.WriteLine($"rebuilt: {(rebuilt.Count == 0 ? "no slots" : string.Join(", ", rebuilt.Select(Describe)))}; releases are known by their directories");
        output.WriteLine("not known any more:");
        foreach (var unknown in StateFault.NotKnownAnyMore) output.WriteLine($"  - {unknown}");
        output.WriteLine("accepted; start the agent");
        return 0;
    }

    private static string Describe(InstanceRecord record) => $"{record.Key} ({record.Release}, {(record.Wanted ? "runs" : "stopped")})";
}

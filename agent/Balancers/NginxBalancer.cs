using System.Net;
using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// Open-source nginx: the agent owns one upstream file for each backend and reloads nginx gracefully. A member that is out is <c>down</c> in
/// it. nginx has no judgement of its members to ask for: up means that the configuration is in effect and that the member accepts connections.
/// </summary>
internal sealed class NginxBalancer(BalancerName name, BalancerSettings.Nginx settings, TableTimings timings, TimeProvider time)
    : TableBalancer(name, timings, time)
{
    private readonly NginxFiles files = new(name, settings.Upstreams, timings, time);
    private readonly NginxProgram program = new(name, settings, timings);
    private readonly TableTimings timings = timings;
    private readonly TimeProvider time = time;

    /// <inheritdoc/>
    public override string Kind => "nginx";

    /// <inheritdoc/>
    public override async Task<string> ReadVersionAsync(CancellationToken cancellation)
    {
        await FindAsync(cancellation);
        return await program.ReadVersionAsync(cancellation);
    }

    /// <inheritdoc/>
    public override Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation) => Task.Run(files.List, cancellation);

    /// <inheritdoc/>
    public override async Task<MemberTable> ReadTableAsync(MemberName backend, CancellationToken cancellation)
    {
        await FindAsync(cancellation);
        return files.Read(backend).Table;
    }

    /// <inheritdoc/>
    public override async Task<bool> ChangeAsync(
        MemberName backend, Func<MemberTable, MemberTable> change, IOperationReport report, CancellationToken cancellation)
    {
        using var turn = await files.LockAsync(cancellation);
        var master = await FindAsync(cancellation);
        var before = files.Read(backend);
        var wanted = before.With(change(before.Table));
        if (wanted.Text == before.Text && files.IsLive(backend, before)) return false;

        var file = files.PathOf(backend);
        if (await program.WhyNotAsync(file, cancellation) is { } broken)
        {
            throw BalancerErrors.ConfigurationRefused(
                Name, "its configuration is broken already, before anything was changed", broken, "nothing was changed, and nginx serves as before", "correct it until nginx -t passes");
        }

        // From here on nothing stops halfway: the file and nginx are changed together, or neither is.
        files.Write(backend, wanted.Text);
        try
        {
            if (await program.WhyNotAsync(file, CancellationToken.None) is { } words)
            {
                throw BalancerErrors.ConfigurationRefused(
                    Name, $"nginx refuses the new {file}", words, "the file is as it was, and nginx serves as before", "look at the member's address and at the file's other directives");
            }

            files.ForgetLive(backend);
            await master.ReloadAsync(timings, time);
        }
        catch
        {
            files.Restore(backend);
            throw;
        }

        files.MarkLive(backend, wanted);
        return true;
    }

    /// <inheritdoc/>
    public override ITableWatch Watch(MemberKey member) => new NginxWatch(Name, settings, timings, time);

    /// <inheritdoc/>
    protected override async Task<IReadOnlyDictionary<string, int>> CountAsync(MemberTable table, CancellationToken cancellation)
    {
        var points = new Dictionary<IPEndPoint, string>();
        foreach (var address in table.Members.Select(m => m.Address))
        {
            foreach (var point in await ProcessConnections.ResolveAsync(address, cancellation)) points[point] = address;
        }

        var targets = points.Keys.ToHashSet();
        var workers = (await FindAsync(cancellation)).Workers();
        return ProcessConnections.Of(workers.Select(w => w.Identity.Pid), targets)
            .SelectMany(found => found ?? new Dictionary<IPEndPoint, int>())
            .GroupBy(seen => points[seen.Key], seen => seen.Value)
            .ToDictionary(g => g.Key, g => g.Sum());
    }

    private Task<NginxMaster> FindAsync(CancellationToken cancellation) => NginxMaster.FindAsync(Name, settings, time, cancellation);
}

using System.Text.Json.Nodes;
using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// Caddy, through its admin API: a backend is the <c>reverse_proxy</c> handler with its name as <c>@id</c>. Requests in flight are counted by
/// Caddy itself. It does not tell the outcome of its checks: up means that the configuration is loaded and that the member accepts connections.
/// </summary>
internal sealed class CaddyBalancer(BalancerName name, BalancerSettings.Caddy settings, TableTimings timings, TimeProvider time)
    : TableBalancer(name, timings, time)
{
    /// <summary>So many times somebody else may be faster with a change of the same handler.</summary>
    private const int Tries = 10;

    private readonly CaddyAdmin admin = new(name, settings, timings);

    /// <inheritdoc/>
    public override string Kind => "caddy";

    /// <inheritdoc/>
    public override async Task<string> ReadVersionAsync(CancellationToken cancellation)
    {
        await admin.GetAsync("/config/admin", cancellation);
        // The API does not say which version it is of.
        return "2";
    }

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation)
        => [.. CaddyHandler.Backends((await admin.GetAsync("/config/", cancellation)).Value).Order(StringComparer.Ordinal)];

    /// <inheritdoc/>
    public override async Task<MemberTable> ReadTableAsync(MemberName backend, CancellationToken cancellation)
        => (await ReadAsync(backend, cancellation)).Table;

    /// <inheritdoc/>
    public override async Task<bool> ChangeAsync(
        MemberName backend, Func<MemberTable, MemberTable> change, IOperationReport report, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            var (handler, before, tag) = await ReadAsync(backend, cancellation);
            var wanted = change(before);
            if (wanted.IsSame(before)) return false;
            if (await admin.TryReplaceAsync($"/id/{backend}", Written(backend, handler, wanted), tag, CancellationToken.None)) return true;
            report.Message($"somebody else has changed handler {backend} at the same time: reading it again");
            if (attempt == Tries)
            {
                throw BalancerErrors.ConfigurationRefused(
                    Name, $"handler {backend} is changed by others all the time", $"{Tries} attempts came too late", "nothing was changed", "find out who else writes Caddy's configuration");
            }
        }
    }

    /// <inheritdoc/>
    public override ITableWatch Watch(MemberKey member) => new Counted(this, member);

    /// <inheritdoc/>
    protected override async Task<IReadOnlyDictionary<string, int>> CountAsync(MemberTable table, CancellationToken cancellation)
    {
        const string path = "/reverse_proxy/upstreams";
        try
        {
            var counts = new Dictionary<string, int>();
            foreach (var upstream in (await admin.GetAsync(path, cancellation)).Value as JsonArray ?? [])
            {
                var requests = upstream!["num_requests"]!.GetValue<int>();
                counts[upstream["address"]!.GetValue<string>()] = requests >= 0 ? requests : throw new FormatException("fewer than no requests");
            }

            return counts;
        }
        catch (Exception exception) when (exception is NullReferenceException or InvalidOperationException or FormatException)
        {
            throw BalancerErrors.Unreachable(Name, $"{path} is not answered as by Caddy", "see whether the address in agent.yml is Caddy's admin endpoint", exception);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) admin.Dispose();
        base.Dispose(disposing);
    }

    private async Task<(JsonObject Handler, MemberTable Table, string Tag)> ReadAsync(MemberName backend, CancellationToken cancellation)
    {
        var (value, tag) = await admin.GetAsync($"/id/{backend}", cancellation);
        if (value is not JsonObject handler)
        {
            throw BalancerErrors.NoSuchBackend(
                Name, backend, await ListBackendsAsync(cancellation),
                $"correct the name, or give the reverse_proxy handler of the app \"@id\": \"{backend}\" in Caddy's JSON configuration (a Caddyfile cannot: `caddy adapt` makes JSON of it)");
        }

        try
        {
            return (handler, CaddyHandler.Read(backend, handler), tag);
        }
        catch (FormatException wrong)
        {
            throw BalancerErrors.ConfigurationRefused(Name, "its configuration cannot be used", wrong.Message, "nothing was changed", $"give \"@id\": \"{backend}\" to the reverse_proxy handler of the app, with its members as upstreams");
        }
    }

    private JsonObject Written(MemberName backend, JsonObject handler, MemberTable wanted)
    {
        try
        {
            return CaddyHandler.Write(backend, handler, wanted);
        }
        catch (FormatException policy)
        {
            throw BalancerErrors.WeightNotSupported(Name, backend, policy.Message);
        }
    }

    /// <summary>Watches Caddy's own count.</summary>
    private sealed class Counted(CaddyBalancer caddy, MemberKey member) : ITableWatch
    {
        public async Task<TableLook> LookAsync(TableMember seen, CancellationToken cancellation)
        {
            var counts = await caddy.CountAsync(new MemberTable([]), cancellation);
            if (!counts.TryGetValue(seen.Address, out var requests))
            {
                throw BalancerErrors.Unreachable(
                    caddy.Name, $"Caddy does not count the requests of {member} ({seen.Address}) any more", "look at Caddy's configuration: it names no such upstream");
            }

            return new TableLook(requests, IsOver: requests == 0, $"{requests} requests are in flight at it still, and are cut when the instance stops");
        }

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}

using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>HAProxy, driven through its stats socket.</summary>
internal sealed class HaproxyBalancer(BalancerName name, BalancerSettings.Haproxy settings, HaproxyTimings timings, TimeProvider time)
    : IBalancer, IDisposable
{
    private readonly HaproxyRuntime runtime = new(settings.Socket, timings, time);
    private readonly OthersUp othersUp = new(name, time);

    /// <inheritdoc/>
    public BalancerName Name => name;

    /// <inheritdoc/>
    public string Kind => "haproxy";

    /// <inheritdoc/>
    public async Task<string> ReadVersionAsync(CancellationToken cancellation)
    {
        using var watch = Watch();
        return await watch.AskAsync("show info", reply => HaproxyReplies.Info(reply)["Version"], cancellation);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation)
    {
        using var watch = Watch();
        return await watch.AskAsync("show stat -1 2 -1", HaproxyReplies.Backends, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation)
    {
        using var watch = Watch();
        return (await watch.LookAsync(backend, patient: false, cancellation)).Backend with { MembersManaged = settings.Members == MemberManagement.Managed };
    }

    /// <inheritdoc/>
    public async Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        var first = await watch.LookAsync(member.Backend, patient: false, cancellation);
        var isOut = Of(first, member).IsOut;
        if (isOut && first.LoadOf(member.Member) == 0) return new Drained(TimeSpan.Zero, 0, Unchanged: true);

        if (!isOut) await TakeOutAsync(watch, member, options, report, cancellation);
        return await new HaproxyDrain(watch, name, member, options, timings, time).WaitAsync(report, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Undrained> UndrainAsync(
        MemberName backend, PutIn member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        return await new HaproxyPutIn(watch, name, settings, backend, [member], timings, time).RunAsync(deadline, report, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Undrained> MoveAsync(
        MemberName backend, BalancerMove move, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        var putIn = new HaproxyPutIn(watch, name, settings, backend, move.Into, timings, time);
        return await new HaproxyMove(watch, name, backend, move, putIn, othersUp.Turn).RunAsync(deadline, report, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Done> RemoveAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        if ((await watch.LookAsync(member.Backend, patient: false, cancellation)).Find(member.Member) is not { } seen) return new Done(Unchanged: true);
        if (!seen.IsOut) throw BalancerErrors.InRotation(name, member, seen);
        if (settings.Members == MemberManagement.Managed) return await new HaproxyRemoval(watch, name, member, timings, time).RunAsync(report, cancellation);
        report.Message($"{member} stays in HAProxy's configuration, out of rotation: its members are fixed by agent.yml");
        return new Done(Unchanged: true);
    }

    /// <inheritdoc/>
    public async Task<Done> MaintenanceAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = Watch();
        var seen = Of(await watch.LookAsync(member.Backend, patient: false, cancellation), member);
        if (seen.State == MemberState.Maintenance) return new Done(Unchanged: true);

        // Again when a reload came between, and the process that was told is on its way out.
        for (var set = 0; seen.State != MemberState.Maintenance;)
        {
            if (set == watch.Generation) throw BalancerErrors.Refused(name, $"set server {member} state maint", $"it is {seen.Status} still");
            set = watch.Generation;
            await watch.SetAsync(member, "maint", cancellation);
            seen = Of(await watch.LookAsync(member.Backend, patient: true, cancellation), member);
        }

        return new Done();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        runtime.Dispose();
        othersUp.Dispose();
    }

    private Task<bool> TakeOutAsync(HaproxyWatch watch, MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
        => othersUp.TakeOutAsync(
            member,
            options,
            timings.Look,
            async () =>
            {
                var look = await watch.LookAsync(member.Backend, patient: true, cancellation);
                Of(look, member);
                return look.Backend.Members;
            },
            async () =>
            {
                await watch.SetAsync(member, "drain", cancellation);
                return true;
            },
            OthersUp.TellChanges(report),
            cancellation);

    private Member Of(HaproxyLook look, MemberKey member)
        => look.Find(member.Member) ?? throw BalancerErrors.NoSuchMember(name, member, look.Backend);

    private HaproxyWatch Watch() => new(name, runtime, timings, time);
}

using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Agent.Proxy;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Balancers;

/// <summary>The embedded proxy, driven through its admin socket. It checks members before it puts them in, and counts exactly.</summary>
internal sealed class EmbeddedBalancer(BalancerName name, BalancerSettings.Embedded settings, TimeProvider time) : IBalancer, IDisposable
{
    /// <summary>How long it may be gone in the middle of an operation (it is restarted) before it is called unreachable.</summary>
    private static readonly TimeSpan Gone = TimeSpan.FromSeconds(5);

    /// <summary>Between two attempts to reach it while it is gone.</summary>
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(50);

    private readonly EmbeddedProxyClient proxy = new(settings.Socket);

    /// <inheritdoc/>
    public BalancerName Name => name;

    /// <inheritdoc/>
    public string Kind => "embedded";

    /// <inheritdoc/>
    public async Task<string> ReadVersionAsync(CancellationToken cancellation)
        => (await AskAsync(() => proxy.InfoAsync(cancellation), patient: false, cancellation)).Version;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation)
        => (await AskAsync(() => proxy.InfoAsync(cancellation), patient: false, cancellation)).Backends;

    /// <inheritdoc/>
    public async Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation)
        => Read(await AskAsync(() => proxy.BackendAsync(backend, cancellation), patient: false, cancellation));

    /// <inheritdoc/>
    public async Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        var before = await ReadBackendAsync(member.Backend, cancellation);
        var seen = before.Find(member.Member) ?? throw BalancerErrors.NoSuchMember(name, member, before);
        if (seen is { IsOut: true, Load: 0 }) return new Drained(TimeSpan.Zero, 0, Unchanged: true);
        var takeOut = Change(outOf: [member.Member], minOthersUp: options.MinOthersUp, deadline: options.Deadline);
        return await new EmbeddedDrain(proxy, member, time, Gone, Again).RunAsync(
            () => ChangeAsync(member.Backend, takeOut, report, "others to be up", cancellation), options, report, Unreachable, cancellation);
    }

    /// <inheritdoc/>
    public async Task<Undrained> UndrainAsync(
        MemberName backend, PutIn member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
        => await PutInAsync(backend, new BalancerMove([member], []), deadline, report, cancellation);

    /// <inheritdoc/>
    public async Task<Undrained> MoveAsync(
        MemberName backend, BalancerMove move, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
        => await PutInAsync(backend, move, deadline, report, cancellation);

    /// <inheritdoc/>
    public async Task<Done> RemoveAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
        => new((await ChangeAsync(member.Backend, Change(remove: [member.Member]), report, "", cancellation)).Unchanged);

    /// <inheritdoc/>
    public async Task<Done> MaintenanceAsync(MemberKey member, IOperationReport report, CancellationToken cancellation)
        => new((await ChangeAsync(member.Backend, Change(maintenance: [member.Member]), report, "", cancellation)).Unchanged);

    /// <inheritdoc/>
    public void Dispose() => proxy.Dispose();

    private async Task<Undrained> PutInAsync(
        MemberName backend, BalancerMove move, TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        var change = Change(into: move.Into, outOf: move.OutOf, deadline: deadline);
        var reply = await ChangeAsync(backend, change, report, $"{string.Join(", ", move.Into.Select(m => m.Member))} to be up", cancellation);
        var status = string.Join(", ", Read(reply.Backend).Members.Where(m => move.Into.Any(i => i.Member.Value == m.Name)).Select(m => m.Status).Distinct());
        return new Undrained(reply.Unchanged ? TimeSpan.Zero : time.GetElapsedTime(begun), status, reply.Unchanged);
    }

    private static ChangeRequest Change(
        IReadOnlyList<PutIn>? into = null,
        IReadOnlyList<MemberName>? outOf = null,
        IReadOnlyList<MemberName>? maintenance = null,
        IReadOnlyList<MemberName>? remove = null,
        int minOthersUp = 0,
        TimeSpan deadline = default) => new(
        [.. into?.Select(m => new ChangeInto(m.Member.Value, m.Address?.ToString(), m.Weight)) ?? []],
        [.. outOf?.Select(m => m.Value) ?? []],
        [.. maintenance?.Select(m => m.Value) ?? []],
        [.. remove?.Select(m => m.Value) ?? []],
        minOthersUp,
        (long)deadline.TotalMilliseconds);

    /// <summary>Repeated when the proxy was gone meanwhile: what a change asks for can be asked for twice.</summary>
    private async Task<ChangeReply> ChangeAsync(
        MemberName backend, ChangeRequest change, IOperationReport report, string waitedFor, CancellationToken cancellation)
    {
        var asked = AskAsync(() => proxy.ChangeAsync(backend, change, cancellation), patient: true, cancellation);
        if (waitedFor.Length > 0 && await Task.WhenAny(asked, Task.Delay(TimeSpan.FromMilliseconds(500), time, cancellation)) != asked)
            report.Message($"the proxy waits for {waitedFor} in {backend}");
        return await asked;
    }

    private async Task<T> AskAsync<T>(Func<Task<T>> ask, bool patient, CancellationToken cancellation)
    {
        for (var gone = 0L; ;)
        {
            try
            {
                return await ask();
            }
            catch (EmbeddedProxyGoneException exception)
            {
                if (gone == 0) gone = time.GetTimestamp();
                if (!patient || time.GetElapsedTime(gone) >= Gone) throw Unreachable(exception);
                await Task.Delay(Again, time, cancellation);
            }
            catch (ProxyRefusalException refusal)
            {
                throw ToError(refusal);
            }
        }
    }

    private OperatorException Unreachable(EmbeddedProxyGoneException gone) => BalancerErrors.Unreachable(name, gone.Message, gone.WhatNext, gone);

    private OperatorException ToError(ProxyRefusalException refusal) => new(
        new OperatorError(
            refusal.Reason switch
            {
                "BACKEND_NOT_FOUND" or "MEMBER_NOT_FOUND" => StatusCode.NotFound,
                BalancerErrors.MemberNotUp => StatusCode.DeadlineExceeded,
                _ => StatusCode.FailedPrecondition,
            },
            refusal.Reason is "STATE_NOT_WRITTEN" or "INVALID_REQUEST" ? "BALANCER_REFUSED" : refusal.Reason,
            $"balancer {name}: {refusal.Message}",
            refusal.WhatNext).With("balancer", name.Value),
        refusal);

    private Backend Read(BackendView view)
    {
        try
        {
            return ToBackend(view);
        }
        catch (FormatException exception)
        {
            throw Unreachable(new EmbeddedProxyGoneException($"it answers what no embedded proxy of this version answers: {exception.Message}", "restart it, so that it is of the agent's version: systemctl restart decant-proxy", exception));
        }
    }

    /// <summary>A backend as the proxy tells it.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    internal static Backend ToBackend(BackendView view)
        => view.Members.All(IsMember)
            ? new(view.Name, [.. view.Members.Select(ToMember)], MembersManaged: true, CountsAnswers: true)
            : throw new FormatException("a member is null, or has fewer than none of something");

    private static bool IsMember(MemberView? view) => view is
    {
        InFlight: >= 0, LongLived: >= 0, Weight: >= 0, AverageMs: >= 0, Requests: >= 0, Answers: >= 0, Answers5xx: >= 0, ConnectionErrors: >= 0, AnswerErrors: >= 0,
    };

    private static Member ToMember(MemberView view) => new()
    {
        Name = view.Name,
        Address = view.Address,
        State = ProxyJson.State(view.State),
        Status = view.State switch { "ready" => "UP", "draining" => "DRAIN", "maintenance" => "MAINT", _ => "DOWN" },
        Weight = view.Weight,
        Sessions = view.InFlight,
        SessionsTotal = view.Requests,
        Responses5xx = view.Answers5xx,
        ConnectionErrors = view.ConnectionErrors,
        ResponseErrors = view.AnswerErrors,
        ResponsesTotal = view.Answers,
        ResponseTimeMs = view.AverageMs,
        ResponseTimeWindow = MemberCounters.Window,
        LongLived = view.LongLived,
        LastCheck = view.LastCheck,
    };
}

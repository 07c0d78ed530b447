using Decant.Agent.Balancers;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Balancers: reads and drives the balancers of this host.</summary>
internal sealed class BalancersService(HostBalancers balancers, OperationCalls calls) : V1.Balancers.BalancersBase
{
    private static readonly TimeSpan DefaultDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MinDeadline = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan MaxDeadline = TimeSpan.FromHours(24);

    /// <inheritdoc/>
    public override async Task<V1.ListBalancersResponse> ListBalancers(V1.ListBalancersRequest request, ServerCallContext context)
    {
        var found = await Task.WhenAll(balancers.All.Select(b => DescribeAsync(b, context.CancellationToken)));
        return new V1.ListBalancersResponse { Balancers = { found } };
    }

    /// <inheritdoc/>
    public override async Task<V1.Backend> GetBackend(V1.GetBackendRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var balancer = reader.Required<BalancerName>("balancer", request.Balancer, BalancerName.TryParse);
        var backend = reader.Required<MemberName>("backend", request.Backend, MemberName.TryParse);
        reader.ThrowIfWrong();
        return BalancerMapping.ToMessage(balancer, await balancers.Get(balancer).ReadBackendAsync(backend, context.CancellationToken));
    }

    /// <inheritdoc/>
    public override Task Drain(V1.DrainRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (balancer, member, subject) = Named(reader, request.Balancer, request.Backend, request.Member, request.App);
        var deadline = Deadline(reader, request.Deadline);
        if (request.MinOthersUp > 10_000) reader.Wrong("min_others_up", $"{request.MinOthersUp} is more than 10000");
        var operation = reader.Operation(request, request.Operation, OperationKind.Drain, subject, Turn(subject));
        var longLived = request.LongLived is not { } policy ? null : new LongLivedPolicy(
            reader.Duration("long_lived.close_after", policy.CloseAfter, TimeSpan.Zero, TimeSpan.Zero, MaxDeadline),
            reader.Duration("long_lived.spread", policy.Spread, TimeSpan.Zero, TimeSpan.Zero, MaxDeadline));
        reader.ThrowIfWrong();

        var options = new DrainOptions(deadline, (int)request.MinOthersUp, longLived);
        return calls.RunAsync(
            operation, async (report, stop) => await balancers.Get(balancer).DrainAsync(member, options, report, stop), responseStream, context);
    }

    /// <inheritdoc/>
    public override Task Undrain(V1.UndrainRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (balancer, member, subject) = Named(reader, request.Balancer, request.Backend, request.Member, request.App);
        var deadline = Deadline(reader, request.Deadline);
        var putIn = ReadPutIn(reader, "", member.Member, request.Address, request.Weight);
        var operation = reader.Operation(request, request.Operation, OperationKind.Undrain, subject, Turn(subject));
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation,
            async (report, stop) => await balancers.Get(balancer).UndrainAsync(member.Backend, putIn, deadline, report, stop),
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task Move(V1.MoveRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var balancer = reader.Required<BalancerName>("balancer", request.Balancer, BalancerName.TryParse);
        var backend = reader.Required<MemberName>("backend", request.Backend, MemberName.TryParse);
        var move = new BalancerMove(
            [.. request.Into.Select((m, i) => ReadPutIn(
                reader, $"into[{i}].", reader.Required<MemberName>($"into[{i}].member", m.Member, MemberName.TryParse), m.Address, m.Weight))],
            [.. request.OutOf.Select((m, i) => reader.Required<MemberName>($"out_of[{i}]", m, MemberName.TryParse))]);
        if (move.Into.Count == 0) reader.Wrong("into", "at least one member is put in; Drain takes members out");
        if (move.OutOf.FirstOrDefault(o => move.Into.Any(m => m.Member == o)) is { } both) reader.Wrong("out_of", $"{both} stands in both");
        var deadline = Deadline(reader, request.Deadline);
        var subject = new OperationSubject(reader.Optional<AppName>("app", request.App, AppName.TryParse), Member: $"{balancer}/{backend}");
        var operation = reader.Operation(request, request.Operation, OperationKind.Move, subject, Turn(subject));
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation, async (report, stop) => await balancers.Get(balancer).MoveAsync(backend, move, deadline, report, stop), responseStream, context);
    }

    /// <inheritdoc/>
    public override Task RemoveMember(V1.RemoveMemberRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (balancer, member, subject) = Named(reader, request.Balancer, request.Backend, request.Member, request.App);
        var operation = reader.Operation(request, request.Operation, OperationKind.RemoveMember, subject, Turn(subject));
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation, async (report, stop) => await balancers.Get(balancer).RemoveAsync(member, report, stop), responseStream, context);
    }

    /// <inheritdoc/>
    public override Task Maintenance(V1.MaintenanceRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (balancer, member, subject) = Named(reader, request.Balancer, request.Backend, request.Member, request.App);
        var operation = reader.Operation(request, request.Operation, OperationKind.Maintenance, subject, Turn(subject));
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation, async (report, stop) => await balancers.Get(balancer).MaintenanceAsync(member, report, stop), responseStream, context);
    }

    private static async Task<V1.Balancer> DescribeAsync(IBalancer balancer, CancellationToken cancellation)
    {
        var message = new V1.Balancer { Name = balancer.Name.Value, Kind = balancer.Kind };
        try
        {
            message.Version = await balancer.ReadVersionAsync(cancellation);
            message.Backends.AddRange(await balancer.ListBackendsAsync(cancellation));
        }
        catch (OperatorException exception)
        {
            message.Version = "";
            message.Problem = $"{exception.Error.Message}; {exception.Error.WhatNext}";
        }

        return message;
    }

    private static (BalancerName Balancer, MemberKey Member, OperationSubject Subject) Named(
        RequestReader reader, string balancer, string backend, string member, string app)
    {
        var name = reader.Required<BalancerName>("balancer", balancer, BalancerName.TryParse);
        var key = new MemberKey(
            reader.Required<MemberName>("backend", backend, MemberName.TryParse), reader.Required<MemberName>("member", member, MemberName.TryParse));
        return (name, key, new OperationSubject(reader.Optional<AppName>("app", app, AppName.TryParse), Member: $"{name}/{key}"));
    }

    private static PutIn ReadPutIn(RequestReader reader, string path, MemberName member, string address, uint weight)
    {
        if (weight > PutIn.FullWeight) reader.Wrong($"{path}weight", $"{weight} is more than {PutIn.FullWeight}, a full share");
        return new PutIn(
            member,
            reader.Optional<MemberAddress>($"{path}address", address, MemberAddress.TryParse),
            weight == 0 ? PutIn.FullWeight : (int)weight);
    }

    private static TimeSpan Deadline(RequestReader reader, Google.Protobuf.WellKnownTypes.Duration? deadline)
        => reader.Duration("deadline", deadline, DefaultDeadline, MinDeadline, MaxDeadline);

    /// <summary>Operations on one member take turns.</summary>
    private static string Turn(OperationSubject subject) => $"member/{subject.Member}";
}

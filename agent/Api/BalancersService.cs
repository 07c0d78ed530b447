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
        reader.ThrowIfWrong();

        var options = new DrainOptions(deadline, (int)request.MinOthersUp);
        return calls.RunAsync(
            operation, async (report, stop) => await balancers.Get(balancer).DrainAsync(member, options, report, stop), responseStream, context);
    }

    /// <inheritdoc/>
    public override Task Undrain(V1.UndrainRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (balancer, member, subject) = Named(reader, request.Balancer, request.Backend, request.Member, request.App);
        var deadline = Deadline(reader, request.Deadline);
        var operation = reader.Operation(request, request.Operation, OperationKind.Undrain, subject, Turn(subject));
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation, async (report, stop) => await balancers.Get(balancer).UndrainAsync(member, deadline, report, stop), responseStream, context);
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

    private static TimeSpan Deadline(RequestReader reader, Google.Protobuf.WellKnownTypes.Duration? deadline)
        => reader.Duration("deadline", deadline, DefaultDeadline, MinDeadline, MaxDeadline);

    /// <summary>Operations on one member take turns.</summary>
    private static string Turn(OperationSubject subject) => $"member/{subject.Member}";
}

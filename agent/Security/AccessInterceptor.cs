using Decant.Agent.Audit;
using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Decant.Agent.Security;

/// <summary>Lets a call through when its caller has the role that the contract asks for, for the app that the request is about; the one place that decides it.</summary>
internal sealed partial class AccessInterceptor(AgentConfiguration configuration, Callers callers, OperationRunner runner, AuditedCalls audit, ILogger<AccessInterceptor> logger) : Interceptor
{
    /// <inheritdoc/>
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Check(context, request as IMessage);
        return continuation(request, context);
    }

    /// <inheritdoc/>
    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Check(context, request as IMessage);
        return continuation(request, responseStream, context);
    }

    /// <inheritdoc/>
    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
        => continuation(new CheckedReader<TRequest>(requestStream, Begin(context), request => Check(context, request)), context);

    /// <inheritdoc/>
    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
        => continuation(new CheckedReader<TRequest>(requestStream, Begin(context), request => Check(context, request)), responseStream, context);

    /// <summary>Who calls.</summary>
    public static Caller CallerOf(ServerCallContext context)
        => context.GetHttpContext().Features.Get<Caller>() ?? throw new InvalidOperationException("the connection has no caller");

    /// <summary>What can be decided before a request has come.</summary>
    private CallRule Begin(ServerCallContext context, IMessage? request = null)
    {
        var caller = CallerOf(context);
        if (callers.Refusal(caller) is { } refusal) throw Refused(context, caller, refusal, request);
        if (AccessRules.Of(context.Method) is not { } rule) throw Refused(context, caller, AccessErrors.RoleMissing(caller, context.Method, "a later agent"), request);
        if (rule.IsLocal && !caller.IsLocal) throw Refused(context, caller, AccessErrors.RoleMissing(caller, context.Method, "a caller on the unix socket"), request);
        var enough = rule.Role switch
        {
            V1.Role.Enrolment => caller.IsForEnrolment,
            V1.Role.Observer => caller.Rights.MayRead,
            V1.Role.Deployer => caller.Rights.IsAdmin || caller.Rights.Apps.Count > 0,
            _ => caller.Rights.IsAdmin,
        };
        return enough ? rule : throw Refused(context, caller, AccessErrors.RoleMissing(caller, context.Method, Words(rule.Role)), request);
    }

    private void Check(ServerCallContext context, IMessage? request)
    {
        var rule = Begin(context, request);
        var caller = CallerOf(context);
        if (rule.Role != V1.Role.Deployer || caller.Rights.IsAdmin) return;
        var app = request is null ? null : rule.Operation is { } id ? AppOfOperation(id, request) : rule.AppOf(request);
        if (app is null or "")
            throw Refused(context, caller, AccessErrors.RoleMissing(caller, context.Method, "admin unless the request names an app"), request);
        if (!caller.Rights.MayDeploy(app)) throw Refused(context, caller, AccessErrors.RoleMissing(caller, context.Method, $"deployer:{app}"), request);
        if (rule.Backend is { } backend && !IsOf(app, (string)backend.Accessor.GetValue(request)))
            throw Refused(context, caller, AccessErrors.RoleMissing(caller, context.Method, $"admin: the backend is not {app}'s by access.backends of agent.yml"), request);
    }

    private string? AppOfOperation(Google.Protobuf.Reflection.FieldDescriptor id, IMessage request)
        => OperationId.TryParse((string)id.Accessor.GetValue(request), out var operation, out _) ? runner.Find(operation)?.Record.Subject.App?.Value : null;

    private bool IsOf(string app, string backend)
        => backend == app
            || (AppName.TryParse(app, out var name, out _) && configuration.Access.Backends.TryGetValue(name, out var named) && named.Any(b => b.Value == backend));

    private OperatorException Refused(ServerCallContext context, Caller caller, OperatorError error, IMessage? request = null)
    {
        audit.Refuse(context.Method, caller, request, AccessRules.Of(context.Method), error.Reason);
        LogRefused(context.Method, caller.Name, caller.From, error.Reason, error.Message);
        return new OperatorException(error);
    }

    private static string Words(V1.Role role) => role switch
    {
        V1.Role.Observer => "observer",
        V1.Role.Deployer => "deployer of an app",
        V1.Role.Enrolment => "a connection for enrolment",
        _ => "admin",
    };

    [LoggerMessage(140, LogLevel.Warning, "{Method} was refused to {Caller} at {From}: {Reason}: {Message}")]
    private partial void LogRefused(string method, string caller, string from, string reason, string message);

    /// <summary>Requests of a stream: the first one must be allowed, and every later one that says again what it is about.</summary>
    private sealed class CheckedReader<T>(IAsyncStreamReader<T> reader, CallRule rule, Action<IMessage?> check) : IAsyncStreamReader<T>
    {
        private bool begun;

        public T Current => reader.Current;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!await reader.MoveNext(cancellationToken)) return false;
            var request = reader.Current as IMessage;
            if (!begun || (request is not null && rule.AppOf(request) is not null)) check(request);
            begun = true;
            return true;
        }
    }
}

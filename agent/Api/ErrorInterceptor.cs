using Decant.Agent.Configuration;
using Decant.Errors;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Decant.Agent.Api;

/// <summary>Sends every error as a rich gRPC status with this host in it; a bug is logged and never sent as a stack trace.</summary>
internal sealed partial class ErrorInterceptor(AgentIdentity identity, ILogger<ErrorInterceptor> logger) : Interceptor
{
    /// <inheritdoc/>
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw Translate(exception, context);
        }
    }

    /// <inheritdoc/>
    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw Translate(exception, context);
        }
    }

    /// <inheritdoc/>
    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(requestStream, context);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw Translate(exception, context);
        }
    }

    private RpcException Translate(Exception exception, ServerCallContext context)
    {
        switch (exception)
        {
            case OperatorException known:
                return known.Error.With("host", identity.Host).ToRpcException();
            case OperationCanceledException when context.CancellationToken.IsCancellationRequested:
            case IOException when context.CancellationToken.IsCancellationRequested:
                return new RpcException(new Status(StatusCode.Cancelled, "the caller hung up"));
            default:
                LogBug(exception, context.Method);
                return new OperatorError(
                    StatusCode.Internal, "INTERNAL", $"unexpected: {exception.Message}", "the agent's log has the details; please report this as a bug")
                    .With("host", identity.Host).ToRpcException();
        }
    }

    [LoggerMessage(110, LogLevel.Error, "{Method} failed unexpectedly")]
    private partial void LogBug(Exception exception, string method);
}

using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Errors;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Decant.Agent.Api;

/// <summary>Sends every error as a rich gRPC status with this host in it; a bug is logged and never sent as a stack trace.</summary>
internal sealed partial class ErrorInterceptor(AgentIdentity identity, IHostApplicationLifetime lifetime, ILogger<ErrorInterceptor> logger) : Interceptor
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

    /// <inheritdoc/>
    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
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
            case OperationCanceledException when lifetime.ApplicationStopping.IsCancellationRequested:
                return AgentStopping.Error.With("host", identity.Host).ToRpcException();
            case InvalidProtocolBufferException:
                return new OperatorError(StatusCode.InvalidArgument, "BAD_REQUEST", $"not a message of this call: {exception.Message}")
                    .With("host", identity.Host).ToRpcException();
            default:
                LogBug(exception, context.Method);
                return UnexpectedError.Of(exception).With("host", identity.Host).ToRpcException();
        }
    }

    [LoggerMessage(110, LogLevel.Error, "{Method} failed unexpectedly")]
    private partial void LogBug(Exception exception, string method);
}

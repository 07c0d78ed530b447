using Decant.Agent.Security;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Decant.Agent.Audit;

/// <summary>Writes every call that may change something into the audit log, before it is done and when it has ended. Stands behind <see cref="AccessInterceptor"/>, which has let it through.</summary>
internal sealed class AuditInterceptor(AuditedCalls calls) : Interceptor
{
    /// <inheritdoc/>
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        var call = Begin(context, request as IMessage);
        try
        {
            var response = await continuation(request, context);
            call?.End();
            return response;
        }
        catch (Exception exception)
        {
            call?.End(exception);
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var call = Begin(context, request as IMessage);
        try
        {
            await continuation(request, responseStream, context);
            call?.End();
        }
        catch (Exception exception)
        {
            call?.End(exception);
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        var reader = new FirstRequest<TRequest>(requestStream, request => Begin(context, request));
        try
        {
            var response = await continuation(reader, context);
            reader.Call?.End();
            return response;
        }
        catch (Exception exception)
        {
            reader.Call?.End(exception);
            throw;
        }
    }

    private AuditedCall? Begin(ServerCallContext context, IMessage? request)
        => AccessRules.Of(context.Method) is { } rule ? calls.Begin(context.Method, AccessInterceptor.CallerOf(context), request, rule) : null;

    /// <summary>The first request of a stream says what the call is about.</summary>
    private sealed class FirstRequest<T>(IAsyncStreamReader<T> reader, Func<IMessage?, AuditedCall?> begin) : IAsyncStreamReader<T>
    {
        private bool begun;

        public AuditedCall? Call { get; private set; }

        public T Current => reader.Current;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!await reader.MoveNext(cancellationToken)) return false;
            if (!begun) Call = begin(reader.Current as IMessage);
            begun = true;
            return true;
        }
    }
}

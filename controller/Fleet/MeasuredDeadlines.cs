using System.Globalization;
using Decant.Errors;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Decant.Controller.Fleet;

/// <summary>
/// Gives every call that is one question and one answer a deadline, and keeps deadlines by a measured time. The library's own is read off the
/// clock on the wall again when its timer is up: set back by an hour, the clock would make a call last an hour longer.
/// </summary>
/// <param name="time">Measures.</param>
/// <param name="answer">For calls that name no deadline.</param>
internal sealed class MeasuredDeadlines(TimeProvider time, TimeSpan answer) : Interceptor
{
    /// <inheritdoc/>
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var options = context.Options.Deadline is null ? context.Options.WithDeadline(now + answer) : context.Options;
        var limit = new Limit(time, options.Deadline!.Value - now, options.CancellationToken);
        var call = continuation(request, With(context, options.WithCancellationToken(limit.Token)));
        return new AsyncUnaryCall<TResponse>(
            AnswerAsync(), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);

        async Task<TResponse> AnswerAsync()
        {
            using (limit) return await limit.KeepAsync(call.ResponseAsync);
        }
    }

    /// <inheritdoc/>
    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        if (context.Options.Deadline is not { } deadline) return continuation(request, context);
        var limit = new Limit(time, deadline - time.GetUtcNow().UtcDateTime, context.Options.CancellationToken);
        var call = continuation(request, With(context, context.Options.WithCancellationToken(limit.Token)));
        return new AsyncServerStreamingCall<TResponse>(
            new LimitedReader<TResponse>(call.ResponseStream, limit), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, End);

        void End()
        {
            call.Dispose();
            limit.Dispose();
        }
    }

    private static ClientInterceptorContext<TRequest, TResponse> With<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context, CallOptions options)
        where TRequest : class
        where TResponse : class
        => new(context.Method, context.Host, options);

    /// <summary>How long one call may last.</summary>
    private sealed class Limit : IDisposable
    {
        private readonly CancellationTokenSource passed;
        private readonly CancellationTokenSource either;
        private readonly CancellationToken caller;
        private readonly TimeSpan length;

        public Limit(TimeProvider time, TimeSpan length, CancellationToken caller)
        {
            this.caller = caller;
            this.length = length > TimeSpan.Zero ? length : TimeSpan.Zero;
            passed = new CancellationTokenSource(this.length, time);
            either = CancellationTokenSource.CreateLinkedTokenSource(passed.Token, caller);
        }

        public CancellationToken Token => either.Token;

        /// <summary>Waits; the end of the time is told as what it is.</summary>
        public async Task<T> KeepAsync<T>(Task<T> answer)
        {
            try
            {
                return await answer;
            }
            catch (RpcException exception) when (IsOver(exception))
            {
                var seconds = length.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
                throw new RpcException(new Status(StatusCode.DeadlineExceeded, $"no answer within {seconds} s"));
            }
        }

        public void Dispose()
        {
            either.Dispose();
            passed.Dispose();
        }

        private bool IsOver(RpcException exception)
            => OperatorError.StatusOf(exception) is null && !caller.IsCancellationRequested
                && (exception.StatusCode == StatusCode.DeadlineExceeded || (exception.StatusCode == StatusCode.Cancelled && passed.IsCancellationRequested));
    }

    private sealed class LimitedReader<T>(IAsyncStreamReader<T> reader, Limit limit) : IAsyncStreamReader<T>
    {
        public T Current => reader.Current;

        public Task<bool> MoveNext(CancellationToken cancellationToken) => limit.KeepAsync(reader.MoveNext(cancellationToken));
    }
}

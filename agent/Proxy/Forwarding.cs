using System.Globalization;
using Decant.Agent.Configuration;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Decant.Agent.Proxy;

/// <summary>
/// Sends each request to a member of its backend. One that nobody has got (the connection was refused) goes to another member; one that may be
/// repeated without harm does so when its answer did not begin; and while no member is up, requests are held for a bounded time.
/// </summary>
internal sealed partial class Forwarding(ProxyBackends backends, IHttpForwarder forwarder, ProxySettings settings, TimeProvider time, ILogger<Forwarding> logger)
{
    private const int MaxHeld = 20_000;
    private const int MaxRepeats = 2;

    private readonly ForwarderRequestConfig config = new()
    {
        ActivityTimeout = settings.IdleTimeout,
        Version = System.Net.HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private int held;
    private long told;
    private volatile bool isStopping;

    /// <summary>From now on clients are told to close their connections.</summary>
    public void BeginStop() => isStopping = true;

    /// <summary>Handles a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (backends.Route(HostOf(context.Request)) is not { } backend)
        {
            await AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, "no app has been put into this proxy yet");
            return;
        }

        ProxyMember? failed = null;
        var holdBegan = 0L;
        for (var repeats = 0; ;)
        {
            var member = backend.Pick(failed);
            if (member is null)
            {
                if (holdBegan == 0) holdBegan = time.GetTimestamp();
                member = await HoldAsync(backend, holdBegan, context.RequestAborted);
            }

            if (member is null)
            {
                if (context.RequestAborted.IsCancellationRequested) return;
                if (IsTimeToTell()) LogNobody(backend.Name.Value, string.Join(", ", backend.Members.Select(m => $"{m.Name} {m.State}: {m.LastCheck}")));
                await AnswerAsync(
                    context,
                    StatusCodes.Status503ServiceUnavailable,
                    $"no server of {backend.Name} can answer now; the request was held for {time.GetElapsedTime(holdBegan).TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture)} s");
                return;
            }

            if (await TrySendAsync(context, member, mayRepeat: repeats < MaxRepeats) is not { } again) return;
            failed = member;
            if (again == Again.MaybeReceived) repeats++;
        }
    }

    /// <returns>Null when the request has been answered, well or not.</returns>
    private async Task<Again?> TrySendAsync(HttpContext context, ProxyMember member, bool mayRepeat)
    {
        var upstream = member.Upstream;
        var attempt = new Attempt(member, upstream, settings.TrustForwarded, () => isStopping, time);
        member.Counters.CountRequest();
        try
        {
            ForwarderError error;
            if (LongLivedConnection.IsAskedFor(context.Request))
            {
                using var connection = new LongLivedConnection(context, member);
                error = await forwarder.SendAsync(context, upstream.Prefix, upstream.Client, config, attempt, connection.Cut);
            }
            else
            {
                error = await forwarder.SendAsync(context, upstream.Prefix, upstream.Client, config, attempt);
            }

            return error == ForwarderError.None ? null : await JudgeAsync(context, member, attempt, error, mayRepeat);
        }
        finally
        {
            member.Leave();
        }
    }

    private async Task<Again?> JudgeAsync(HttpContext context, ProxyMember member, Attempt attempt, ForwarderError error, bool mayRepeat)
    {
        if (context.RequestAborted.IsCancellationRequested) return null;
        var exception = context.Features.Get<IForwarderErrorFeature>()?.Exception;
        if (error is ForwarderError.Request or ForwarderError.RequestTimedOut && !context.Response.HasStarted && WhyNotConnected(exception) is { } why)
        {
            member.Counters.CountConnectionError();
            LogNotConnected(member.Name.Value, member.Upstream.Address.ToString(), why);
            member.MarkDown(why);
            Reset(context);
            return Again.NotReceived;
        }

        if (IsOfTheClient(error)) return null;
        member.Counters.CountAnswerError();
        LogBroken(member.Name.Value, error, exception?.Message ?? "");
        if (context.Response.HasStarted || attempt.IsAnswered) return null;
        if (error == ForwarderError.Request && mayRepeat && CanRepeat(context))
        {
            Reset(context);
            return Again.MaybeReceived;
        }

        var status = context.Response.StatusCode;
        Reset(context);
        await AnswerAsync(
            context,
            status is StatusCodes.Status504GatewayTimeout ? status : StatusCodes.Status502BadGateway,
            status is StatusCodes.Status504GatewayTimeout ? "the server did not answer in time" : "the server ended the connection before it answered");
        return null;
    }

    private async ValueTask<ProxyMember?> HoldAsync(ProxyBackend backend, long began, CancellationToken aborted)
    {
        try
        {
            if (Interlocked.Increment(ref held) > MaxHeld) return null;
            while (true)
            {
                var changed = backend.Changed;
                if (backend.Pick() is { } member) return member;
                var left = settings.Hold - time.GetElapsedTime(began);
                if (left <= TimeSpan.Zero) return null;
                await changed.WaitAsync(left, time, aborted);
            }
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            return null;
        }
        finally
        {
            Interlocked.Decrement(ref held);
        }
    }

    /// <summary>Once a second: an outage is one event, however many requests it costs.</summary>
    private bool IsTimeToTell()
    {
        var now = time.GetTimestamp();
        var before = Volatile.Read(ref told);
        return (before == 0 || time.GetElapsedTime(before, now) >= TimeSpan.FromSeconds(1)) && Interlocked.CompareExchange(ref told, now, before) == before;
    }

    private static string HostOf(HttpRequest request)
    {
        var host = request.Headers.Host.ToString();
        var colon = host.LastIndexOf(':');
        return colon < 0 || host.EndsWith(']') ? host : host[..colon];
    }

    /// <summary>Nobody has received anything of a request that ended so; null when that is not known.</summary>
    private static string? WhyNotConnected(Exception? exception) => exception switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } refused
            => (refused.InnerException ?? refused).Message,
        OperationCanceledException { InnerException: TimeoutException timeout } => timeout.Message,
        // Its connections were closed for good between the choice and the sending.
        ObjectDisposedException => "taken out",
        _ => null,
    };

    private static bool IsOfTheClient(ForwarderError error) => error
        is ForwarderError.RequestCanceled or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyClient
        or ForwarderError.ResponseBodyClient or ForwarderError.ResponseBodyCanceled
        or ForwarderError.UpgradeRequestClient or ForwarderError.UpgradeResponseClient
        or ForwarderError.UpgradeRequestCanceled or ForwarderError.UpgradeResponseCanceled or ForwarderError.UpgradeActivityTimeout;

    /// <summary>Idempotent (RFC 9110, 9.2.2), and without a body that is used up.</summary>
    private static bool CanRepeat(HttpContext context)
        => (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method) || HttpMethods.IsOptions(context.Request.Method)
            || HttpMethods.IsPut(context.Request.Method) || HttpMethods.IsDelete(context.Request.Method))
        && context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false };

    private static void Reset(HttpContext context)
    {
        context.Response.Clear();
        context.Features.Set<IForwarderErrorFeature>(null);
    }

    private static async Task AnswerAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        if (status == StatusCodes.Status503ServiceUnavailable) context.Response.Headers[HeaderNames.RetryAfter] = "1";
        await context.Response.WriteAsync($"{status} {text}\n", context.RequestAborted);
    }

    [LoggerMessage(30, LogLevel.Warning, "{Member} at {Address} cannot be reached ({Why}): it gets no requests until it can")]
    private partial void LogNotConnected(string member, string address, string why);

    [LoggerMessage(31, LogLevel.Warning, "A request to {Member} broke off: {Error}, {Why}")]
    private partial void LogBroken(string member, ForwarderError error, string why);

    [LoggerMessage(32, LogLevel.Warning, "No member of {Backend} is up, requests are answered with 503: {Members}")]
    private partial void LogNobody(string backend, string members);

    private enum Again
    {
        NotReceived,
        MaybeReceived,
    }
}

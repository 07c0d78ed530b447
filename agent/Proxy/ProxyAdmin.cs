using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>
/// What the agent reads and changes, as JSON over HTTP on a unix socket, so that an operator can look with
/// <c>curl --unix-socket /run/decant/proxy.sock http://proxy/backends/shop</c>.
/// </summary>
internal sealed class ProxyAdmin(ProxyBackends backends, ProxyChanges changes, LongLivedClosing closing) : IDisposable
{
    private readonly CancellationTokenSource stop = new();

    /// <summary>Ends the streams.</summary>
    public void BeginStop() => stop.Cancel();

    /// <summary>Handles a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            await AnswerAsync(context, context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries));
        }
        catch (ProxyRefusalException refusal)
        {
            await RefuseAsync(context, StatusCodes.Status409Conflict, refusal);
        }
        catch (Exception exception) when (exception is JsonException or FormatException)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, new ProxyRefusalException("INVALID_REQUEST", exception.Message, "see the agent's own requests"));
        }
        catch (OperationCanceledException)
        {
            // Whoever asked has gone, or the proxy ends.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => stop.Dispose();

    private Task AnswerAsync(HttpContext context, string[] path) => (context.Request.Method, path) switch
    {
        ("GET", []) => WriteAsync(context, new ProxyInfo(AgentIdentity.Version, Environment.ProcessId, [.. backends.All.Select(b => b.Name.Value)]), ProxyJson.Default.ProxyInfo),
        ("GET", ["backends", var name]) => WriteAsync(context, View(MemberName.Parse(name)), ProxyJson.Default.BackendView),
        ("POST", ["backends", var name, "change"]) => ChangeAsync(context, MemberName.Parse(name)),
        ("GET", ["backends", var name, "members", var member, "watch"]) => WatchAsync(context, MemberName.Parse(name), MemberName.Parse(member)),
        ("POST", ["backends", var name, "members", var member, "close"]) => CloseAsync(context, MemberName.Parse(name), MemberName.Parse(member)),
        _ => throw new FormatException("there is /, /backends/NAME, and below that /change and /members/NAME/watch and /close"),
    };

    /// <summary>A backend that would be made by the first member that is put into it is there, without members.</summary>
    private BackendView View(MemberName name)
    {
        var backend = backends.Find(name);
        if (backend is null && !backends.CanMake(name)) throw backends.NotFound(name);
        return new BackendView(name.Value, [.. backend?.Members.Select(MemberView.Of) ?? []]);
    }

    private async Task ChangeAsync(HttpContext context, MemberName name)
    {
        var change = (await ReadAsync(context, ProxyJson.Default.ChangeRequest)).ToChange();
        var changed = await changes.ApplyAsync(name, change, context.RequestAborted);
        await WriteAsync(context, new ChangeReply(!changed, View(name)), ProxyJson.Default.ChangeReply);
    }

    /// <summary>A line for each change of what a member is and, when it is out, of what it has in flight.</summary>
    private async Task WatchAsync(HttpContext context, MemberName name, MemberName memberName)
    {
        var backend = backends.Find(name) ?? throw backends.NotFound(name);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stop.Token);
        context.Response.ContentType = "application/x-ndjson";
        for (string? told = null; ;)
        {
            var changed = backend.Changed;
            if (backend.Find(memberName) is not { } member) return;
            var line = JsonSerializer.Serialize(MemberView.Of(member), ProxyJson.Default.MemberView);
            if (line != told)
            {
                await context.Response.WriteAsync(line + "\n", either.Token);
                await context.Response.Body.FlushAsync(either.Token);
                told = line;
            }

            await changed.WaitAsync(either.Token);
        }
    }

    private async Task CloseAsync(HttpContext context, MemberName name, MemberName memberName)
    {
        var request = await ReadAsync(context, ProxyJson.Default.CloseRequest);
        var backend = backends.Find(name) ?? throw backends.NotFound(name);
        if (backend.Find(memberName) is { } member)
        {
            if (member.Wanted == MemberState.Ready)
                throw new ProxyRefusalException("MEMBER_IN_ROTATION", $"{name}/{memberName} is in rotation: its connections are not closed", "drain it first");
            // Not awaited: it goes on although the agent restarts meanwhile.
            _ = closing.CloseAsync(member, TimeSpan.FromMilliseconds(Math.Clamp(request.SpreadMs, 0, ChangeRequest.MaxDeadline.TotalMilliseconds)), stop.Token);
        }

        await WriteAsync(context, View(name), ProxyJson.Default.BackendView);
    }

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
        => await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted) ?? throw new FormatException("the request is empty");

    private static Task RefuseAsync(HttpContext context, int status, ProxyRefusalException refusal)
    {
        context.Response.StatusCode = status;
        return WriteAsync(context, new RefusalReply(refusal.Reason, refusal.Message, refusal.WhatNext), ProxyJson.Default.RefusalReply);
    }

    private static Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(value, type);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}

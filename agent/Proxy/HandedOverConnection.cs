using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Decant.Agent.Proxy;

/// <summary>A connection that was accepted at one endpoint and goes on at another.</summary>
internal sealed class HandedOverConnection(ConnectionContext accepted) : ConnectionContext
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the other endpoint has done with it.</summary>
    public Task Ended => ended.Task;

    /// <inheritdoc/>
    public override string ConnectionId
    {
        get => accepted.ConnectionId;
        set => accepted.ConnectionId = value;
    }

    /// <inheritdoc/>
    public override IFeatureCollection Features => accepted.Features;

    /// <inheritdoc/>
    public override IDictionary<object, object?> Items
    {
        get => accepted.Items;
        set => accepted.Items = value;
    }

    /// <inheritdoc/>
    public override IDuplexPipe Transport
    {
        get => accepted.Transport;
        set => accepted.Transport = value;
    }

    /// <inheritdoc/>
    public override CancellationToken ConnectionClosed
    {
        get => accepted.ConnectionClosed;
        set => accepted.ConnectionClosed = value;
    }

    /// <inheritdoc/>
    public override EndPoint? LocalEndPoint
    {
        get => accepted.LocalEndPoint;
        set => accepted.LocalEndPoint = value;
    }

    /// <inheritdoc/>
    public override EndPoint? RemoteEndPoint
    {
        get => accepted.RemoteEndPoint;
        set => accepted.RemoteEndPoint = value;
    }

    /// <inheritdoc/>
    public override void Abort(ConnectionAbortedException abortReason) => accepted.Abort(abortReason);

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        ended.TrySetResult();
        return base.DisposeAsync();
    }
}

using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http.Features;

namespace Decant.Agent.Proxy;

/// <summary>Kestrel's requests to one handler, without what hosting puts between (activities, scopes, events): that is a tenth of a small request.</summary>
internal sealed class PlainApplication(RequestDelegate handle) : IHttpApplication<PlainApplication.Held>
{
    /// <inheritdoc/>
    public Held CreateContext(IFeatureCollection contextFeatures)
    {
        // Kestrel keeps one for each connection, for the next request on it.
        if (contextFeatures is not IHostContextContainer<Held> container) return new Held(new DefaultHttpContext(contextFeatures));
        if (container.HostContext is { } held)
        {
            held.Context.Initialize(contextFeatures);
            return held;
        }

        return container.HostContext = new Held(new DefaultHttpContext(contextFeatures));
    }

    /// <inheritdoc/>
    public Task ProcessRequestAsync(Held context) => handle(context.Context);

    /// <inheritdoc/>
    public void DisposeContext(Held context, Exception? exception) => context.Context.Uninitialize();

    /// <summary>The context of one request after the other.</summary>
    /// <param name="Context">It.</param>
    internal sealed record Held(DefaultHttpContext Context);
}

"""Is your Neural ODE solver-proof?"""

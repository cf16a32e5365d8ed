/* The stack switch on AArch64 (AAPCS64): x19-x30 and d8-d15. */
#if defined(__aarch64__)
    .text
    .globl norn_context_swap
    .hidden norn_context_swap
    .type norn_context_swap, %function
/* void norn_context_swap(void **save_sp, void *load_sp) */
norn_context_swap:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size norn_context_swap, . - norn_context_swap

    .globl norn_context_entry
    .hidden norn_context_entry
    .type norn_context_entry, %function
/* First frame of a new stack: x19 holds the argument, x20 the function. */
norn_context_entry:
    mov x0, x19
    mov x29, #0
    blr x20
    brk #1
    .size norn_context_entry, . - norn_context_entry
    .section .note.GNU-stack,"",%progbits
#endif
